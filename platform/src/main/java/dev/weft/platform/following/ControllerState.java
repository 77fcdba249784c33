package dev.weft.platform.following;

import dev.weft.functions.FunctionName;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceId;
import dev.weft.platform.control.DeployedFunction;
import dev.weft.platform.control.LoadTracker;
import dev.weft.platform.control.RuntimeAddress;
import dev.weft.platform.keys.ApiKey;
import dev.weft.platform.telemetry.Invocation;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// What a controller tells gateways. The first frame of a stream has everything; a later one has
/// what changed, whole, and leaves out the rest.
///
/// @param keys by the SHA-256 of their secrets, in hexadecimal digits
/// @param runtimes where those are that can be reached
public record ControllerState(
    @Nullable List<DeployedFunction> functions,
    @Nullable Map<String, ApiKey> keys,
    @Nullable List<FollowedRuntime> runtimes,
    @Nullable List<FailedLoad> failures) {
  /// Knowing nothing.
  static final ControllerState NONE = new ControllerState(null, null, null, null);

  /// Where gateways follow.
  static final String STREAM = "/gateways/v1/state/stream";

  /// Where gateways say who waits.
  static final String DEMAND = "/gateways/v1/demand";

  /// Where gateways leave what they have answered.
  static final String INVOCATIONS = "/gateways/v1/invocations";

  public ControllerState {
    functions = functions == null ? null : List.copyOf(functions);
    keys = keys == null ? null : new TreeMap<>(keys);
    runtimes = runtimes == null ? null : List.copyOf(runtimes);
    failures = failures == null ? null : List.copyOf(failures);
  }

  /// A runtime that can be reached.
  ///
  /// @param drained whether it is to take nothing new
  public record FollowedRuntime(
      DeviceId device, String host, int port, String secret, boolean drained) {
    RuntimeAddress address() {
      return new RuntimeAddress(host, port, secret);
    }
  }

  /// A revision that could not be loaded.
  public record FailedLoad(RevisionId revision, LoadTracker.Failed failed) {}

  /// What a gateway holds and could not place.
  ///
  /// @param gateway tells one gateway process from another
  /// @param called what was called there since the last report
  public record DemandReport(
      String gateway,
      Map<String, Integer> held,
      Set<FunctionName> crowded,
      Set<FunctionName> called) {}

  /// Finished requests.
  ///
  /// @param id a batch that comes twice is written once
  public record InvocationBatch(String id, List<Invocation> invocations) {}

  /// Whether everything is said.
  boolean whole() {
    return functions != null && keys != null && runtimes != null && failures != null;
  }

  /// This, with what `later` says.
  ControllerState with(ControllerState later) {
    return new ControllerState(
        later.functions == null ? functions : later.functions,
        later.keys == null ? keys : later.keys,
        later.runtimes == null ? runtimes : later.runtimes,
        later.failures == null ? failures : later.failures);
  }

  /// Whether it says nothing.
  boolean empty() {
    return equals(NONE);
  }

  /// What this says that `earlier` does not.
  ControllerState since(ControllerState earlier) {
    return new ControllerState(
        Objects.equals(functions, earlier.functions) ? null : functions,
        Objects.equals(keys, earlier.keys) ? null : keys,
        Objects.equals(runtimes, earlier.runtimes) ? null : runtimes,
        Objects.equals(failures, earlier.failures) ? null : failures);
  }
}
