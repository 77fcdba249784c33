package dev.weft.runtime.source;

import dev.weft.runtime.source.Addresses.Reach;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;

/// What fetching may do on this machine.
///
/// @param cache the directory of Weft's own downloads; hub files live in the hub's own cache
/// @param environment the process's variables: those of the hub's tools (`HF_TOKEN`, ...), of
///   object stores' (`AWS_ACCESS_KEY_ID`, ...), `DOCKER_CONFIG` and `HOME` are read from it, and
///   pip runs in it
/// @param connectTimeout until a source counts as one that cannot be reached
/// @param stallTimeout the longest silence of a transfer
/// @param maxFileBytes the largest file accepted
/// @param allowPrivateAddresses whether `https:` and `oci:` may name hosts on loopback and private
///   networks; `HF_ENDPOINT` and `AWS_ENDPOINT_URL` are the machine owner's word and need no leave
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

  /// How far an address that a tenant wrote may lead.
  Reach reach() {
    return allowPrivateAddresses ? Reach.PRIVATE : Reach.PUBLIC;
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
