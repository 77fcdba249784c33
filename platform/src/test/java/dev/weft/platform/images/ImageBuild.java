package dev.weft.platform.images;

import dev.weft.platform.images.DebianFiles.DebianPackage;
import dev.weft.platform.images.Recipes.Recipe;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.jar.Attributes;
import java.util.jar.JarFile;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// Writes images of what is built, each as `NAME.tar` with its bill of materials `NAME.cdx.json`.
public final class ImageBuild {
  /// That of everything that the build makes (`project.build.outputTimestamp`).
  private static final Instant TIME = Instant.parse("2026-01-01T00:00:00Z");

  /// What container runtimes take `weft/platform` for.
  private static final String REGISTRY = "docker.io/weft/";

  private final Path root;
  private final Path to;
  private final Path work;

  /// @param root of the sources, which are built
  /// @param to where images are written
  ImageBuild(Path root, Path to) throws IOException {
    this.root = root;
    this.to = Files.createDirectories(to);
    this.work = Files.createTempDirectory(to, "work");
  }

  /// An image that was written.
  record Built(String name, String digest, Path file) {}

  /// @param arguments the root of the sources, where to write, and which images; all without any
  public static void main(String[] arguments) throws IOException {
    List<String> words = List.of(arguments);
    List<String> names = words.size() > 2 ? words.subList(2, words.size()) : Recipes.names();
    for (Built image : new ImageBuild(Path.of(words.get(0)), Path.of(words.get(1))).build(names)) {
      System.out.printf("%s %s %s%n", image.name(), image.digest(), image.file());
    }
  }

  List<Built> build(List<String> names) throws IOException {
    try {
      Optional<Path> nvrtc = Optional.ofNullable(System.getenv("WEFT_NVRTC")).map(Path::of);
      var recipes = new Recipes(root, work, nvrtc);
      List<Recipe> asked = new ArrayList<>();
      for (String name : names) {
        asked.add(recipes.of(name));
      }
      JavaRuntime java = JavaRuntime.link(work.resolve("java"));
      DebianFiles debian = debian(java, asked);
      List<OciImage.Layer> below =
          List.of(layer("debian", debian.files()), layer("java", java.files()));
      List<Built> built = new ArrayList<>();
      for (Recipe recipe : asked) {
        built.add(write(recipe, below, java, debian));
      }
      return built;
    } finally {
      delete(work);
    }
  }

  private DebianFiles debian(JavaRuntime java, List<Recipe> recipes) throws IOException {
    Path unpacked = Files.createDirectory(work.resolve("natives"));
    List<Path> programs = new ArrayList<>(java.programs());
    for (Recipe recipe : recipes) {
      Path own = Files.createDirectory(unpacked.resolve(recipe.name()));
      for (Path jar : recipe.jars()) {
        programs.addAll(NativeJars.unpack(jar, own));
      }
    }
    return DebianFiles.of(
        programs,
        programs.stream()
            .map(program -> program.getFileName().toString())
            .collect(Collectors.toSet()));
  }

  private Built write(
      Recipe recipe, List<OciImage.Layer> below, JavaRuntime java, DebianFiles debian)
      throws IOException {
    String version = version();
    String name = REGISTRY + recipe.name();
    Map<String, String> labels =
        new TreeMap<>(
            Map.of(
                "org.opencontainers.image.title",
                recipe.title(),
                "org.opencontainers.image.version",
                version,
                "org.opencontainers.image.licenses",
                "Apache-2.0"));
    revision().ifPresent(commit -> labels.put("org.opencontainers.image.revision", commit));
    var image = new OciImage(name + ":" + version, TIME, recipe.start(), labels);
    below.forEach(image::add);
    image.add(layer(recipe.name(), recipe.files()));
    Path file = to.resolve(recipe.name() + ".tar");
    String digest = image.write(file);
    var sbom = new Sbom(name, version, digest, TIME);
    for (DebianPackage debianPackage : debian.packages()) {
      sbom.add(debianPackage);
    }
    sbom.add(java);
    for (Path jar : recipe.jars()) {
      sbom.add(jar);
    }
    sbom.write(to.resolve(recipe.name() + ".cdx.json"));
    return new Built(name + ":" + version, digest, file);
  }

  private OciImage.Layer layer(String name, LayerFiles files) throws IOException {
    return OciImage.layer(files, work.resolve(name + ".layer"), TIME);
  }

  private String version() throws IOException {
    try (JarFile jar = new JarFile(root.resolve("platform/target/weft-platform.jar").toFile())) {
      return jar.getManifest().getMainAttributes().getValue(Attributes.Name.IMPLEMENTATION_VERSION);
    }
  }

  /// The commit that was built; nothing where there is none, or where files differ from it.
  private Optional<String> revision() throws IOException {
    Tool.Result changes = Tool.run("git", "-C", root.toString(), "status", "--porcelain");
    return changes.exit() == 0 && changes.out().isBlank()
        ? Optional.of(Tool.text("git", "-C", root.toString(), "rev-parse", "HEAD").strip())
        : Optional.empty();
  }

  private static void delete(Path directory) {
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("cannot remove " + directory, e);
    }
  }
}
