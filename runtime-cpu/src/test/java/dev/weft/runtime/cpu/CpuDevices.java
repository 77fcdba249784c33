package dev.weft.runtime.cpu;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/// Devices and backends for tests.
final class CpuDevices {
  static final Path NATIVES = Path.of("target", "natives").toAbsolutePath();

  private CpuDevices() {}

  static WeftCpu library() {
    List<String> resources = List.of("META-INF/native/linux-x86_64/libweftcpu.so");
    Path directory = new NativeFiles(NATIVES).unpack("weftcpu", resources);
    return WeftCpu.open(directory.resolve("libweftcpu.so"));
  }

  /// Instruction sets that this machine has.
  static List<Isa> instructionSets() {
    int best = library().isa();
    return Stream.of(Isa.values()).filter(isa -> isa.code() <= best).toList();
  }

  static CpuDevice device(Isa isa, int threads) {
    return new CpuDevice(library(), isa, threads, CpuOptions.DEFAULT_SPINS);
  }

  static CpuBackend backend(Isa isa, int threads) {
    return new CpuBackend(
        new CpuOptions(
            NATIVES, threads, Optional.of(isa), CpuOptions.DEFAULT_SPINS, Optional.empty()));
  }

  static CpuBackend backend() {
    return new CpuBackend(
        new CpuOptions(NATIVES, 2, Optional.empty(), CpuOptions.DEFAULT_SPINS, Optional.empty()));
  }

  /// With so many tokens a KV block.
  static CpuBackend backend(int blockTokens) {
    return new CpuBackend(
        new CpuOptions(NATIVES, 2, Optional.empty(), CpuOptions.DEFAULT_SPINS, Optional.empty()),
        (spec, type) -> KvLayouts.of(spec, type, blockTokens));
  }
}
