package dev.weft.platform.images;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// Which images there are, and what of the build is in each.
///
/// @param root of the sources, which are built
/// @param work where what is made for an image is laid
/// @param nvrtc NVIDIA's compiler, which the GPU runtime's image takes along if this machine has it
record Recipes(Path root, Path work, Optional<Path> nvrtc) {
  /// No account's: a container runs as nobody whom the machine knows, and a cluster may choose
  /// another.
  static final int USER = 65_532;

  private static final String JAVA = "/java/bin/java";
  private static final String HOME = "/var/lib/weft";

  /// An image's programs.
  ///
  /// @param files its own layer
  /// @param jars those among them
  record Recipe(
      String name, String title, LayerFiles files, List<Path> jars, OciImage.Start start) {}

  Recipe of(String name) throws IOException {
    return switch (name) {
      case "platform" -> platform();
      case "runtime-cpu" ->
          runtime(name, "CPU runtime of Weft", "dev.weft.runtime.cpu.Main", new LinkedHashMap<>());
      case "runtime-gpu" -> runtimeGpu();
      default -> throw new IllegalArgumentException("there is no image '%s'".formatted(name));
    };
  }

  static List<String> names() {
    return List.of("platform", "runtime-cpu", "runtime-gpu");
  }

  /// Gateway and controller: which of them a container is, its settings say.
  private Recipe platform() throws IOException {
    Path built = root.resolve("platform/target");
    Path app = built.resolve("quarkus-app");
    LayerFiles files =
        new LayerFiles()
            .tree("app/quarkus-app", app)
            .file("app/platform.options", built.resolve("app/platform.options"))
            .directory("var/lib/weft", 0775)
            .directory("tmp", 01777);
    List<String> command =
        List.of(JAVA, "@/app/platform.options", "-jar", "/app/quarkus-app/quarkus-run.jar");
    Map<String, String> environment = environment();
    environment.put("WEFT_HTTP_HOST", "0.0.0.0");
    return new Recipe(
        "platform",
        "Gateway and controller of Weft",
        files,
        jars(app),
        new OciImage.Start(command, environment, "/"));
  }

  private Recipe runtimeGpu() throws IOException {
    Map<String, String> environment = new LinkedHashMap<>();
    // What the container runtime mounts of the driver.
    environment.put("NVIDIA_DRIVER_CAPABILITIES", "compute,utility");
    nvrtc.ifPresent(file -> environment.put("WEFT_NVRTC", "/nvrtc/" + file.getFileName()));
    Recipe recipe =
        runtime("runtime-gpu", "GPU runtime of Weft", "dev.weft.runtime.gpu.Main", environment);
    if (nvrtc.isPresent()) {
      Path directory = nvrtc.get().toAbsolutePath().getParent();
      try (Stream<Path> libraries = Files.list(directory)) {
        libraries
            .filter(file -> file.getFileName().toString().startsWith("libnvrtc"))
            .forEach(file -> recipe.files().program("nvrtc/" + file.getFileName(), file));
      }
    }
    return recipe;
  }

  private Recipe runtime(String module, String title, String main, Map<String, String> own)
      throws IOException {
    Path app = root.resolve(module).resolve("target/app");
    List<Path> jars = new ArrayList<>();
    for (Path jar : jars(app)) {
      jars.add(
          jar.getFileName().toString().startsWith("tokenizers-")
              ? NativeJars.forThisSystem(
                  jar, Files.createDirectories(work.resolve(module)).resolve(jar.getFileName()))
              : jar);
    }
    var files = new LayerFiles();
    jars.forEach(jar -> files.file("app/" + jar.getFileName(), jar));
    files
        .file("app/runtime.options", root.resolve("runtime-cpu/target/app/runtime.options"))
        .directory("var/lib/weft", 0775)
        .directory("tmp", 01777);
    String classpath =
        jars.stream().map(jar -> "/app/" + jar.getFileName()).collect(Collectors.joining(":"));
    List<String> command =
        List.of(
            JAVA,
            "@/app/runtime.options",
            "-cp",
            classpath,
            main,
            "--host",
            "0.0.0.0",
            "--port",
            "8080");
    Map<String, String> environment = environment();
    environment.put("JDK_JAVA_OPTIONS", "-Xmx1g");
    environment.putAll(own);
    return new Recipe(module, title, files, jars, new OciImage.Start(command, environment, "/"));
  }

  private static Map<String, String> environment() {
    return new LinkedHashMap<>(Map.of("WEFT_HOME", HOME, "HOME", HOME, "LANG", "C.UTF-8"));
  }

  /// By name, so that a class path has the same order everywhere.
  private static List<Path> jars(Path directory) throws IOException {
    try (Stream<Path> files = Files.walk(directory)) {
      Path[] jars =
          files.filter(file -> file.toString().endsWith(".jar")).sorted().toArray(Path[]::new);
      if (jars.length == 0) {
        throw new IOException(directory + " has no jars: the build has not made them");
      }
      return Arrays.asList(jars);
    }
  }
}
