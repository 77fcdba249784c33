package dev.weft.autoscaler.simulation;

import dev.weft.autoscaler.memory.LengthForecast;
import dev.weft.autoscaler.scheduling.FairShares;
import dev.weft.autoscaler.simulation.Mechanisms.Mechanism;
import dev.weft.autoscaler.simulation.Scenario.Kind;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.random.RandomGenerator;

/// Runs a scenario on a virtual clock.
public final class Simulation {
  private static final int SAMPLES = 240;

  /// How long after its last call a trace is simulated at the longest.
  private static final long MOST_AFTER_NANOS = 3_600_000_000_000L;

  private Simulation() {}

  /// Runs until every request has ended.
  ///
  /// @param random for the noise of step times: the same gives the same result
  public static SimulationResult run(Scenario scenario, RandomGenerator random) {
    List<SimFunction> functions = functions(scenario);
    Recorder recorder = new Recorder(functions.size());
    Events events = new Events();
    List<SimDevice> devices = devices(scenario, events);
    World world =
        new World(
            scenario,
            events,
            devices,
            recorder,
            w ->
                scenario.policy() == Kind.LLM_MESH
                    ? new MeshPolicy(w)
                    : new StaticPolicy(w, scenario.policy()),
            random);
    scenario.faults().forEach(world::schedule);
    long sampleEvery = Math.max(1_000_000_000L, scenario.trace().lastNanos() / SAMPLES);
    long nextSample = 0;
    int next = 0;
    List<Trace.Call> calls = scenario.trace().calls();
    long until = scenario.trace().lastNanos() + MOST_AFTER_NANOS;
    while (world.now() <= until) {
      long call = next < calls.size() ? calls.get(next).atNanos() : Long.MAX_VALUE;
      long event = world.events.next();
      if (Math.min(call, event) == Long.MAX_VALUE) {
        break;
      }
      if (Math.min(call, event) >= nextSample && nextSample <= scenario.trace().lastNanos()) {
        recorder.sample(nextSample, devices, world.pending.size());
        nextSample += sampleEvery;
      }
      if (call <= event) {
        world.events.advanceTo(call);
        Trace.Call arrived = calls.get(next++);
        world.arrived(new SimRequest(functions.get(arrived.function()), arrived));
      } else {
        world.events.runNext();
      }
    }
    recorder.unfinished(calls.size() - recorder.ended());
    return recorder.result(world.now());
  }

  private static List<SimFunction> functions(Scenario scenario) {
    LengthForecast prior = new LengthForecast();
    double[] weights = new double[scenario.trace().functions().size()];
    Arrays.fill(weights, 1);
    FairShares shares = new FairShares(weights);
    List<SimFunction> functions = new ArrayList<>();
    for (int i = 0; i < scenario.trace().functions().size(); i++) {
      functions.add(
          new SimFunction(
              i,
              scenario.models().apply(i),
              scenario.priorities().apply(i),
              scenario.promises().apply(i),
              prior,
              shares));
    }
    return functions;
  }

  private static List<SimDevice> devices(Scenario scenario, Events clock) {
    boolean foresees = scenario.mechanisms().use(Mechanism.FORESIGHT);
    List<SimDevice> devices = new ArrayList<>();
    for (DeviceSpec spec : scenario.devices()) {
      if (scenario.policy() == Kind.STATIC_HALF && halves(scenario, spec)) {
        devices.add(new SimDevice(spec.half(1), devices.size(), clock, foresees));
        devices.add(new SimDevice(spec.half(2), devices.size(), clock, foresees));
      } else {
        devices.add(new SimDevice(spec, devices.size(), clock, foresees));
      }
    }
    return devices;
  }

  /// Whether the first function's model profits from halves of such a device.
  private static boolean halves(Scenario scenario, DeviceSpec spec) {
    ModelSpec.OnKind on = scenario.models().apply(0).kinds().get(spec.kind());
    return on != null && on.halfConcurrency() < on.exclusiveConcurrency();
  }
}
