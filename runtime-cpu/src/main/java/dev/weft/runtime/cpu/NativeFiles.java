package dev.weft.runtime.cpu;

import dev.weft.runtime.foreign.NativeException;
import java.io.IOException;
import java.io.InputStream;
import java.net.JarURLConnection;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.jar.JarEntry;

/// Unpacks libraries from the class path into a directory named for their content, so that versions
/// lie beside each other and two processes may unpack at once.
final class NativeFiles {
  private static final int HASH_CHARACTERS = 16;

  private final Path directory;

  /// @param directory usually `$WEFT_HOME/natives`
  NativeFiles(Path directory) {
    this.directory = directory;
  }

  /// Unpacks resources into one directory and returns it; the libraries find each other there.
  ///
  /// @throws NativeException when a resource is absent or the directory cannot be written
  Path unpack(String name, List<String> resources) {
    try {
      Path target = directory.resolve(name + "-" + hash(resources));
      for (String resource : resources) {
        Path file = target.resolve(resource.substring(resource.lastIndexOf('/') + 1));
        if (!Files.exists(file)) {
          write(resource, file);
        }
      }
      return target;
    } catch (IOException e) {
      throw new NativeException(name, "cannot be unpacked to %s: %s".formatted(directory, e), e);
    }
  }

  private static void write(String resource, Path file) throws IOException {
    Path parent = file.resolveSibling(".");
    Files.createDirectories(parent);
    Path partial = Files.createTempFile(parent, ".unpack", ".part");
    try (InputStream in = open(resource)) {
      Files.copy(in, partial, StandardCopyOption.REPLACE_EXISTING);
      move(partial, file);
    } finally {
      Files.deleteIfExists(partial);
    }
  }

  private static void move(Path from, Path to) throws IOException {
    try {
      Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
    } catch (AtomicMoveNotSupportedException e) {
      Files.move(from, to, StandardCopyOption.REPLACE_EXISTING);
    }
  }

  private static String hash(List<String> resources) throws IOException {
    MessageDigest digest;
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
    byte[] buffer = new byte[1 << 16];
    for (String resource : resources) {
      // A jar knows the checksum of what it holds; reading a hundred megabytes would take a second.
      URL url = NativeFiles.class.getResource("/" + resource);
      if (url != null && url.openConnection() instanceof JarURLConnection jar) {
        JarEntry entry = jar.getJarEntry();
        String identity = resource + ' ' + entry.getCrc() + ' ' + entry.getSize() + '\n';
        digest.update(identity.getBytes(StandardCharsets.UTF_8));
        continue;
      }
      try (InputStream in = open(resource)) {
        for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
          digest.update(buffer, 0, read);
        }
      }
    }
    return HexFormat.of().formatHex(digest.digest()).substring(0, HASH_CHARACTERS);
  }

  private static InputStream open(String resource) {
    InputStream in = NativeFiles.class.getResourceAsStream("/" + resource);
    if (in == null) {
      throw new NativeException(
          resource,
          "is not on the class path; build the runtime on Linux x86-64 with gcc to have it");
    }
    return in;
  }
}
