package dev.weft.runtime.cpu;

import dev.weft.runtime.cpu.packed.PackedCache;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/// How a CPU device is opened.
///
/// @param nativesDirectory where libraries are unpacked, `$WEFT_HOME/natives`
/// @param threads workers, the device's own thread included
/// @param isa the instruction set; empty chooses the best of this machine
/// @param spins how often a waiting worker looks again before it parks
/// @param packedCache where packed weights are kept for the next load; empty keeps none
public record CpuOptions(
    Path nativesDirectory,
    int threads,
    Optional<Isa> isa,
    int spins,
    Optional<PackedCache.Settings> packedCache) {
  /// About a tenth of a millisecond: longer than the gap between two decode steps.
  public static final int DEFAULT_SPINS = 2000;

  public CpuOptions {
    if (threads < 1) {
      throw new IllegalArgumentException("threads is not positive: " + threads);
    }
    if (spins < 0) {
      throw new IllegalArgumentException("spins is negative: " + spins);
    }
  }

  /// As many threads as given. `WEFT_CPU_ISA` (avx2, avx512-vnni, avx512-bf16, amx),
  /// `WEFT_CPU_SPINS` and `WEFT_CPU_PACKED_CACHE` (off, or bytes, such as 20G) override the rest.
  public static CpuOptions of(Path home, int threads, Map<String, String> environment) {
    return new CpuOptions(
        home.resolve("natives"),
        threads,
        Optional.ofNullable(environment.get("WEFT_CPU_ISA")).map(Isa::ofLabel),
        Integer.parseInt(environment.getOrDefault("WEFT_CPU_SPINS", String.valueOf(DEFAULT_SPINS))),
        PackedCache.Settings.of(
            home.resolve("cache").resolve("packed"),
            Optional.ofNullable(environment.get("WEFT_CPU_PACKED_CACHE"))));
  }

  public CpuOptions withIsa(Isa chosen) {
    return new CpuOptions(nativesDirectory, threads, Optional.of(chosen), spins, packedCache);
  }
}
