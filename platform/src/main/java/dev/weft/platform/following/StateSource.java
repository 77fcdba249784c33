package dev.weft.platform.following;

import dev.weft.platform.control.DeployedFunction;
import dev.weft.platform.control.Fleet;
import dev.weft.platform.control.FunctionDirectory;
import dev.weft.platform.control.LoadTracker;
import dev.weft.platform.control.RuntimeAddress;
import dev.weft.platform.following.ControllerState.FailedLoad;
import dev.weft.platform.following.ControllerState.FollowedRuntime;
import dev.weft.platform.keys.ApiKey;
import dev.weft.platform.keys.KeyRing;
import dev.weft.platform.keys.Secret;
import jakarta.inject.Singleton;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// Puts together what gateways must know. What has not changed is the same object again, so that
/// many gateways may ask many times a second. **thread**: any.
@Singleton
final class StateSource {
  private final FunctionDirectory directory;
  private final KeyRing keyRing;
  private final Fleet fleet;
  private final LoadTracker loads;
  private long functionsSeen;
  private @Nullable List<DeployedFunction> functions;
  private @Nullable Map<Secret.Hash, ApiKey> keysSeen;
  private @Nullable Map<String, ApiKey> keys;
  private long fleetSeen;
  private @Nullable List<FollowedRuntime> runtimes;

  StateSource(FunctionDirectory directory, KeyRing keyRing, Fleet fleet, LoadTracker loads) {
    this.directory = directory;
    this.keyRing = keyRing;
    this.fleet = fleet;
    this.loads = loads;
  }

  synchronized ControllerState state() {
    FunctionDirectory.Snapshot directoryNow = directory.snapshot();
    if (functions == null || directoryNow.version() != functionsSeen) {
      functions = List.copyOf(directoryNow.sorted());
      functionsSeen = directoryNow.version();
    }
    Map<Secret.Hash, ApiKey> keysNow = keyRing.snapshot();
    if (keys == null || !keysNow.equals(keysSeen)) {
      Map<String, ApiKey> byHash = new TreeMap<>();
      keysNow.forEach((hash, key) -> byHash.put(HexFormat.of().formatHex(hash.bytes()), key));
      keys = byHash;
      keysSeen = keysNow;
    }
    Fleet.Snapshot fleetNow = fleet.snapshot();
    if (runtimes == null || fleetNow.version() != fleetSeen) {
      runtimes = runtimes(fleetNow);
      fleetSeen = fleetNow.version();
    }
    return new ControllerState(functions, keys, runtimes, failures());
  }

  private static List<FollowedRuntime> runtimes(Fleet.Snapshot seen) {
    List<FollowedRuntime> runtimes = new ArrayList<>();
    for (Fleet.Device device : seen.sorted()) {
      RuntimeAddress address = device.address();
      if (address != null) {
        runtimes.add(
            new FollowedRuntime(
                device.id(),
                address.host(),
                address.port(),
                address.secret(),
                seen.drained().contains(device.id())));
      }
    }
    return runtimes;
  }

  private List<FailedLoad> failures() {
    return loads.failures().entrySet().stream()
        .map(failed -> new FailedLoad(failed.getKey(), failed.getValue()))
        .sorted(Comparator.comparing(failed -> failed.revision().toString()))
        .toList();
  }
}
