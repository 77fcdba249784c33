package dev.weft.platform.simulation;

import dev.weft.autoscaler.simulation.DeviceSpec;
import dev.weft.autoscaler.simulation.Mechanisms;
import dev.weft.autoscaler.simulation.Mechanisms.Mechanism;
import dev.weft.autoscaler.simulation.ModelSpec;
import dev.weft.autoscaler.simulation.Scenario;
import dev.weft.autoscaler.simulation.Scenario.Kind;
import dev.weft.autoscaler.simulation.Simulation;
import dev.weft.autoscaler.simulation.SimulationResult;
import dev.weft.autoscaler.simulation.Trace;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;

/// Simulations of one trace.
public final class Runs {
  private final Trace trace;
  private final Testbed testbed;

  public Runs(Trace trace, Testbed testbed) {
    this.trace = trace;
    this.testbed = testbed;
  }

  /// Simulates one configuration.
  ///
  /// @throws FileFormatException when it names something that there is not
  public Run run(Configuration configuration) {
    List<DeviceSpec> devices = testbed.devices(configuration.devices());
    List<ModelSpec> models =
        Arrays.stream(configuration.model().split(",", -1)).map(testbed::model).toList();
    Trace calls = calls(configuration.functions(), configuration.seed());
    Mechanisms mechanisms = Mechanisms.ALL;
    for (String name : configuration.without()) {
      mechanisms = mechanisms.without(mechanism(name));
    }
    Scenario one = Scenario.of(calls, models.getFirst(), devices, policy(configuration.policy()));
    Scenario scenario =
        new Scenario(
            calls,
            function -> models.get(function % models.size()),
            one.priorities(),
            devices,
            one.policy(),
            mechanisms,
            one.promises(),
            one.callers(),
            List.of());
    requireRoom(models, devices);
    return new Run(
        configuration, Simulation.run(scenario, new SplittableRandom(configuration.seed())));
  }

  private Trace calls(int functions, long seed) {
    if (functions == 0 || functions == trace.functions().size()) {
      return trace;
    }
    return functions < trace.functions().size()
        ? trace.withFunctions(functions)
        : trace.spreadOver(functions, new SplittableRandom(seed));
  }

  /// A model that no device can run would only be refused, call by call.
  private static void requireRoom(List<ModelSpec> models, List<DeviceSpec> devices) {
    for (ModelSpec model : models) {
      if (devices.stream().noneMatch(device -> model.kinds().containsKey(device.kind()))) {
        throw new FileFormatException(
            "%s has no profile for any of the devices; it has %s"
                .formatted(model.name(), model.kinds().keySet()));
      }
    }
  }

  private static Kind policy(String name) {
    return switch (name) {
      case "llm-mesh" -> Kind.LLM_MESH;
      case "exclusive" -> Kind.EXCLUSIVE;
      case "exclusive-swap" -> Kind.EXCLUSIVE_SWAP;
      case "static-half" -> Kind.STATIC_HALF;
      default ->
          throw new FileFormatException(
              "no policy %s; there are llm-mesh, exclusive, exclusive-swap and static-half"
                  .formatted(name));
    };
  }

  private static Mechanism mechanism(String name) {
    for (Mechanism mechanism : Mechanism.values()) {
      if (mechanism.name().replace('_', '-').equalsIgnoreCase(name)) {
        return mechanism;
      }
    }
    throw new FileFormatException(
        "no mechanism %s; there are %s"
            .formatted(
                name,
                Arrays.stream(Mechanism.values())
                    .map(each -> each.name().toLowerCase(Locale.ROOT).replace('_', '-'))
                    .toList()));
  }

  /// What is simulated.
  ///
  /// @param functions 0 for those of the trace; more than it has spread its calls over so many
  /// @param model a name, or several separated by commas, which functions have in turn
  /// @param without mechanisms that are switched off
  public record Configuration(
      int functions, String model, String devices, String policy, List<String> without, long seed) {
    public Configuration {
      without = List.copyOf(without);
    }

    /// This one with another value of one part.
    ///
    /// @throws FileFormatException when there is no such part, or this is no value of it
    public Configuration with(String part, String value) {
      return switch (part) {
        case "functions" -> new Configuration(number(value), model, devices, policy, without, seed);
        case "model" -> new Configuration(functions, value, devices, policy, without, seed);
        case "devices" -> new Configuration(functions, model, value, policy, without, seed);
        case "policy" -> new Configuration(functions, model, devices, value, without, seed);
        case "without" ->
            new Configuration(
                functions, model, devices, policy, List.of(value.split(",", -1)), seed);
        default -> throw new FileFormatException("--what-if cannot change " + part);
      };
    }

    /// This one with another seed.
    public Configuration seeded(long seed) {
      return new Configuration(functions, model, devices, policy, without, seed);
    }

    private static int number(String value) {
      try {
        return Integer.parseInt(value);
      } catch (NumberFormatException e) {
        throw new FileFormatException("not a number of functions: " + value);
      }
    }
  }

  /// What it came to.
  public record Run(Configuration configuration, SimulationResult result) {}
}
