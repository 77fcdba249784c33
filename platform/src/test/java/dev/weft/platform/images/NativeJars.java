package dev.weft.platform.images;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.regex.Pattern;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/// Jars that carry native libraries.
final class NativeJars {
  private static final Pattern THIS_SYSTEM =
      Pattern.compile(".*/linux[-_/](x86[-_]64|amd64)/.*\\.so");
  private static final Pattern OTHER_SYSTEM =
      Pattern.compile("native/lib/(?!linux-x86_64/)[^/]+/.*");

  private NativeJars() {}

  /// A copy without the tokenizers' libraries for other systems, most of their jar.
  static Path forThisSystem(Path jar, Path copy) throws IOException {
    try (JarFile in = new JarFile(jar.toFile());
        OutputStream file = Files.newOutputStream(copy);
        ZipOutputStream out = new ZipOutputStream(file)) {
      for (JarEntry entry : entries(in, name -> !OTHER_SYSTEM.matcher(name).matches())) {
        var kept = new ZipEntry(entry.getName());
        kept.setTimeLocal(entry.getTimeLocal());
        out.putNextEntry(kept);
        try (InputStream content = in.getInputStream(entry)) {
          content.transferTo(out);
        }
        out.closeEntry();
      }
      return copy;
    }
  }

  /// The libraries of a jar that this system can load, laid into a directory.
  static List<Path> unpack(Path jar, Path directory) throws IOException {
    List<Path> unpacked = new ArrayList<>();
    try (JarFile in = new JarFile(jar.toFile())) {
      for (JarEntry entry : entries(in, name -> THIS_SYSTEM.matcher(name).matches())) {
        Path to = directory.resolve(jar.getFileName() + "-" + entry.getName().replace('/', '-'));
        try (InputStream content = in.getInputStream(entry)) {
          Files.copy(content, to);
        }
        unpacked.add(to);
      }
    }
    return unpacked;
  }

  private static List<JarEntry> entries(JarFile jar, Predicate<String> wanted) {
    return jar.stream().filter(entry -> wanted.test(entry.getName())).toList();
  }
}
