package dev.weft.platform.control;

import dev.weft.platform.config.WeftConfig;
import dev.weft.platform.config.WeftHome;
import io.quarkus.runtime.configuration.MemorySize;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// The command line of a runtime process.
///
/// The JVM's options and the AOT cache are made by the runtime's build and lie beside its jars; the
/// JVM ignores a cache that does not fit.
///
/// @param build differs when the software on the class path differs, so that a runtime of another
///   build is never adopted
record RuntimeCommand(List<String> words, String build) {
  RuntimeCommand {
    words = List.copyOf(words);
  }

  /// The files that a runtime and the platform meet at.
  record MeetingFiles(Path announcement, Path secret) {}

  static RuntimeCommand of(
      LocalDevice device, WeftConfig config, WeftHome home, MeetingFiles files) {
    String classpath = classpath(device, config);
    WeftConfig.RuntimeProcess runtime = config.runtime();
    List<String> words = new ArrayList<>();
    // A session of its own: neither the terminal's Ctrl-C nor the platform's end reaches it.
    words.add("setsid");
    words.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    besideJars(classpath, "runtime.options").ifPresent(options -> words.add("@" + options));
    words.add("-Xmx" + runtime.heap());
    besideJars(classpath, "runtime.aot").ifPresent(cache -> words.add("-XX:AOTCache=" + cache));
    words.addAll(List.of("-cp", expanded(classpath), mainClass(device, runtime)));
    words.addAll(List.of("--device", device.id().value()));
    words.addAll(List.of("--host", "127.0.0.1", "--port", "0"));
    words.addAll(List.of("--home", home.root().toString()));
    words.addAll(List.of("--secret-file", files.secret().toString()));
    words.addAll(List.of("--announce", files.announcement().toString()));
    words.addAll(ofItsKind(device, runtime));
    return new RuntimeCommand(words, fingerprint(classpath, words));
  }

  private static List<String> ofItsKind(LocalDevice device, WeftConfig.RuntimeProcess runtime) {
    List<String> words = new ArrayList<>();
    Optional<MemorySize> memory =
        switch (device) {
          case LocalDevice.Cpu(_, var cpus) -> {
            runtime.threads().ifPresent(count -> words.addAll(List.of("--threads", count + "")));
            cpus.ifPresent(list -> words.addAll(List.of("--cpus", list)));
            yield runtime.memory();
          }
          case LocalDevice.Gpu(_, int index) -> {
            words.addAll(List.of("--gpu", index + ""));
            yield runtime.gpu().memory();
          }
        };
    memory.ifPresent(size -> words.addAll(List.of("--memory", size.asBigInteger() + "")));
    return words;
  }

  private static String mainClass(LocalDevice device, WeftConfig.RuntimeProcess runtime) {
    return switch (device) {
      case LocalDevice.Cpu _ -> runtime.mainClass();
      case LocalDevice.Gpu _ -> runtime.gpu().mainClass();
    };
  }

  private static String classpath(LocalDevice device, WeftConfig config) {
    return switch (device) {
      case LocalDevice.Cpu _ -> installed(config, config.runtime().classpath(), "cpu");
      case LocalDevice.Gpu _ -> gpuClasspath(config);
    };
  }

  static String gpuClasspath(WeftConfig config) {
    return installed(config, config.runtime().gpu().classpath(), "gpu");
  }

  private static String installed(WeftConfig config, Optional<String> given, String kind) {
    return given
        .or(() ->
            config
                .dist()
                .map(root -> root.resolve("runtime-%s/target/app".formatted(kind)))
                .map(app -> app.toAbsolutePath() + "/*"))
        .orElseThrow(() ->
            new RuntimeUnavailableException(
                "where the %s runtime is installed is not known: set WEFT_DIST to the root of the installation"
                    .formatted(kind.toUpperCase(Locale.ROOT))));
  }

  /// A file beside the jars, if the class path is a directory of them and has it.
  private static Optional<Path> besideJars(String classpath, String name) {
    return directory(classpath).map(app -> app.resolve(name)).filter(Files::exists);
  }

  private static Optional<Path> directory(String classpath) {
    return classpath.endsWith("/*") && !classpath.contains(File.pathSeparator)
        ? Optional.of(Path.of(classpath.substring(0, classpath.length() - 2)))
        : Optional.empty();
  }

  /// The jars by name, in the order in which the AOT cache was made: a wildcard has none.
  private static String expanded(String classpath) {
    return directory(classpath)
        .map(app ->
            filesOf(app).stream()
                .map(Path::toString)
                .filter(file -> file.endsWith(".jar"))
                .collect(Collectors.joining(File.pathSeparator)))
        .filter(jars -> !jars.isEmpty())
        .orElse(classpath);
  }

  /// A digest of names, sizes and times of everything on the class path, and of the options.
  private static String fingerprint(String classpath, List<String> words) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      for (String entry : classpath.split(File.pathSeparator, -1)) {
        Path path = Path.of(entry.endsWith("*") ? entry.substring(0, entry.length() - 1) : entry);
        for (Path file : filesOf(path)) {
          BasicFileAttributes attributes = Files.readAttributes(file, BasicFileAttributes.class);
          digest.update(
              "%s %d %d%n"
                  .formatted(file, attributes.size(), attributes.lastModifiedTime().toMillis())
                  .getBytes(StandardCharsets.UTF_8));
        }
      }
      digest.update(String.join("\0", words).getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(digest.digest(), 0, 8);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read the runtime's class path " + classpath, e);
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
  }

  private static List<Path> filesOf(Path path) {
    if (!Files.isDirectory(path)) {
      return Files.exists(path) ? List.of(path) : List.of();
    }
    try (Stream<Path> files = Files.list(path)) {
      return files.filter(Files::isRegularFile).sorted().toList();
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read the runtime's class path " + path, e);
    }
  }
}
