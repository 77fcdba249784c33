package dev.weft.platform.images;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Properties;
import java.util.stream.Stream;

/// The Java runtime of an image: the modules that Weft and its libraries use, of the JDK that built
/// them.
///
/// @param directory where it lies
record JavaRuntime(Path directory, String vendor, String version) {
  /// The same for all images, so that a machine stores them once.
  private static final List<String> MODULES =
      List.of(
          "java.base",
          "java.instrument",
          "java.logging",
          "java.management",
          "java.naming",
          "java.net.http",
          "java.rmi",
          "java.security.jgss",
          "java.security.sasl",
          "java.sql",
          "java.transaction.xa",
          "java.xml",
          "jdk.jfr",
          "jdk.management",
          "jdk.net",
          "jdk.unsupported",
          "jdk.zipfs");

  static JavaRuntime link(Path directory) throws IOException {
    Path jdk = Path.of(System.getProperty("java.home"));
    Tool.text(
        jdk.resolve("bin/jlink").toString(),
        "--strip-debug",
        "--no-man-pages",
        "--no-header-files",
        "--add-modules",
        String.join(",", MODULES),
        "--output",
        directory.toString());
    var release = new Properties();
    try (InputStream in = Files.newInputStream(jdk.resolve("release"))) {
      release.load(in);
    }
    return new JavaRuntime(
        directory, unquoted(release, "IMPLEMENTOR"), unquoted(release, "JAVA_RUNTIME_VERSION"));
  }

  private static String unquoted(Properties release, String key) {
    return release.getProperty(key, "unknown").replace("\"", "");
  }

  LayerFiles files() {
    return new LayerFiles().tree("java", directory);
  }

  /// Programs and libraries, whose own needs the loader knows.
  List<Path> programs() throws IOException {
    try (Stream<Path> files = Files.walk(directory)) {
      return files
          .filter(
              file -> file.toString().endsWith(".so") || file.equals(directory.resolve("bin/java")))
          .sorted()
          .toList();
    }
  }
}
