package dev.weft.autoscaler.simulation;

import dev.weft.autoscaler.scheduling.TokenTarget;
import java.util.List;
import java.util.function.IntFunction;

/// What is simulated.
///
/// @param models the model of each of the trace's functions, by its number
/// @param priorities the priority of each
/// @param devices pools follow from their classes
/// @param promises when tokens of each are due
/// @param callers what they do when their first token is late
public record Scenario(
    Trace trace,
    IntFunction<ModelSpec> models,
    IntFunction<Integer> priorities,
    List<DeviceSpec> devices,
    Kind policy,
    Mechanisms mechanisms,
    IntFunction<TokenTarget> promises,
    Callers callers,
    List<Fault> faults) {
  public Scenario {
    devices = List.copyOf(devices);
    faults = List.copyOf(faults);
  }

  /// All mechanisms, equal priorities, the promise by prompt length, no faults.
  public static Scenario of(Trace trace, ModelSpec model, List<DeviceSpec> devices, Kind policy) {
    return new Scenario(
        trace,
        _ -> model,
        _ -> 0,
        devices,
        policy,
        Mechanisms.ALL,
        _ -> TokenTarget.byPromptLength(),
        Callers.STAY,
        List.of());
  }

  public Scenario with(Mechanisms mechanisms) {
    return new Scenario(
        trace, models, priorities, devices, policy, mechanisms, promises, callers, faults);
  }

  public Scenario with(List<Fault> faults) {
    return new Scenario(
        trace, models, priorities, devices, policy, mechanisms, promises, callers, faults);
  }

  public Scenario with(Callers callers) {
    return new Scenario(
        trace, models, priorities, devices, policy, mechanisms, promises, callers, faults);
  }

  /// The same with other priorities and promises.
  public Scenario with(IntFunction<Integer> priorities, IntFunction<TokenTarget> promises) {
    return new Scenario(
        trace, models, priorities, devices, policy, mechanisms, promises, callers, faults);
  }

  /// What callers do whose first token has not come when it was promised.
  public enum Callers {
    /// They wait for it once they have a place.
    STAY,
    /// They hang up, wherever they wait.
    HANG_UP
  }

  /// Who decides.
  public enum Kind {
    /// The platform's own policies.
    LLM_MESH,
    /// A device for an instance, a fixed number of requests at once (as ServerlessLLM does).
    EXCLUSIVE,
    /// The same as the platform does it that is told to: an instance stays until its device is
    /// wanted, when the one that idled longest goes at once, and steps go by headroom.
    EXCLUSIVE_SWAP,
    /// The same with every device cut into two halves of memory and time.
    STATIC_HALF
  }
}
