package dev.weft.runtime.cpu;

import dev.weft.runtime.tensor.DType;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import java.util.zip.CRC32C;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Which kernels [KernelCheck] found right, so that a processor is asked once and not at every
/// start. Empty files beside the library, whose directory is named for its contents; their names
/// hold the processor, down to its stepping, microcode and features. Thread-safe.
final class CheckedKernels {
  private static final Logger log = LoggerFactory.getLogger(CheckedKernels.class);

  /// What tells processors apart in `/proc/cpuinfo`.
  private static final List<String> IDENTITY =
      List.of("vendor_id", "cpu family", "model", "model name", "stepping", "microcode", "flags");

  /// The first processor's part, which is all that is read.
  private static final int CPUINFO_BYTES = 8192;

  private final Optional<Path> directory;
  private final String processor;
  private final Set<String> known = ConcurrentHashMap.newKeySet();

  private CheckedKernels(Optional<Path> directory, String processor) {
    this.directory = directory;
    this.processor = processor;
  }

  /// Remembered for as long as this object is.
  static CheckedKernels inMemory() {
    return new CheckedKernels(Optional.empty(), "");
  }

  /// @param library the directory that the library was unpacked to
  static CheckedKernels beside(Path library) {
    return in(library, Path.of("/proc/cpuinfo"));
  }

  /// @param cpuinfo another file in tests
  static CheckedKernels in(Path library, Path cpuinfo) {
    try {
      return new CheckedKernels(Optional.of(library), processor(cpuinfo));
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + cpuinfo, e);
    }
  }

  private static String processor(Path cpuinfo) throws IOException {
    String first;
    try (InputStream in = Files.newInputStream(cpuinfo)) {
      first = new String(in.readNBytes(CPUINFO_BYTES), StandardCharsets.UTF_8).split("\n\n", 2)[0];
    }
    String identity =
        first
            .lines()
            .filter(line -> IDENTITY.contains(line.split(":", 2)[0].strip()))
            .collect(Collectors.joining("\n"));
    CRC32C hash = new CRC32C();
    hash.update(identity.getBytes(StandardCharsets.UTF_8));
    return "%08x".formatted(hash.getValue());
  }

  boolean has(Isa isa, DType type, Packing packing) {
    String name = name(isa, type, packing);
    if (!known.contains(name)
        && directory.map(each -> Files.exists(each.resolve(name))).orElse(false)) {
      known.add(name);
    }
    return known.contains(name);
  }

  void add(Isa isa, DType type, Packing packing) {
    String name = name(isa, type, packing);
    known.add(name);
    try {
      if (directory.isPresent()) {
        Files.createFile(directory.get().resolve(name));
      }
    } catch (FileAlreadyExistsException e) {
      // Another process found the same.
      return;
    } catch (IOException e) {
      log.atInfo()
          .addKeyValue("reason", e.toString())
          .log("the check of a kernel cannot be recorded; it is made again at the next start");
    }
  }

  private String name(Isa isa, DType type, Packing packing) {
    return "checked-%s-%s-%s-%s".formatted(processor, isa.label(), type, packing);
  }
}
