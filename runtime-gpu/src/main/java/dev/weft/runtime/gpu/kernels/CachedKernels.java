package dev.weft.runtime.gpu.kernels;

import dev.weft.runtime.gpu.nvrtc.Nvrtc;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Kernels that NVRTC compiled, kept in a directory: a file is named by the hash of the source, the
/// options, the architecture and NVRTC's version, and ends with the hash of what it holds. So a
/// file of something else is never taken, nor one that was cut short.
public final class CachedKernels implements KernelCompiler {
  private static final Logger log = LoggerFactory.getLogger(CachedKernels.class);
  private static final int HASH_BYTES = 32;

  private final Path directory;
  private final Supplier<Nvrtc> nvrtc;

  /// @param nvrtc asked for its version at least
  public CachedKernels(Path directory, Supplier<Nvrtc> nvrtc) {
    this.directory = directory;
    this.nvrtc = nvrtc;
  }

  @Override
  public byte[] compile(KernelUnit unit, String architecture) {
    Nvrtc compiler = nvrtc.get();
    String source = unit.text();
    Path file = directory.resolve(key(source, compiler.version(), architecture) + ".cubin");
    Optional<byte[]> kept = read(file);
    if (kept.isPresent()) {
      return kept.get();
    }
    long start = System.nanoTime();
    byte[] cubin = compiler.compile(source, unit.name(), KernelSource.options(architecture));
    log.atInfo()
        .addKeyValue("unit", unit.name())
        .addKeyValue("architecture", architecture)
        .addKeyValue("millis", (System.nanoTime() - start) / 1_000_000)
        .addKeyValue("bytes", cubin.length)
        .log("kernels compiled");
    keep(file, cubin);
    return cubin;
  }

  private static String key(String source, String version, String architecture) {
    MessageDigest digest = sha256();
    digest.update(source.getBytes(StandardCharsets.UTF_8));
    String rest = "\0" + version + "\0" + String.join("\0", KernelSource.options(architecture));
    digest.update(rest.getBytes(StandardCharsets.UTF_8));
    return HexFormat.of().formatHex(digest.digest());
  }

  private static Optional<byte[]> read(Path file) {
    byte[] all;
    try {
      all = Files.readAllBytes(file);
    } catch (NoSuchFileException e) {
      return Optional.empty();
    } catch (IOException e) {
      log.atWarn()
          .addKeyValue("file", file)
          .addKeyValue("reason", e.toString())
          .log("kept kernels cannot be read; they are compiled again");
      return Optional.empty();
    }
    int length = all.length - HASH_BYTES;
    if (length <= 0) {
      return Optional.empty();
    }
    byte[] cubin = Arrays.copyOf(all, length);
    byte[] hash = Arrays.copyOfRange(all, length, all.length);
    return MessageDigest.isEqual(sha256().digest(cubin), hash)
        ? Optional.of(cubin)
        : Optional.empty();
  }

  /// A cache that cannot be written costs the next start its time, and nothing else.
  private void keep(Path file, byte[] cubin) {
    try {
      Files.createDirectories(directory);
      Path part = Files.createTempFile(directory, "kernels", ".part");
      try {
        byte[] all = Arrays.copyOf(cubin, cubin.length + HASH_BYTES);
        System.arraycopy(sha256().digest(cubin), 0, all, cubin.length, HASH_BYTES);
        Files.write(part, all);
        Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      } finally {
        Files.deleteIfExists(part);
      }
    } catch (IOException e) {
      log.atWarn()
          .addKeyValue("file", file)
          .addKeyValue("reason", e.toString())
          .log("compiled kernels cannot be kept");
    }
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }
}
