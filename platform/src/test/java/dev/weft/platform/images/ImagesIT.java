package dev.weft.platform.images;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The images of what this build made.
class ImagesIT {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
  private static final String NAME = "runtime-cpu";

  @TempDir static Path directory;
  private static ImageBuild.Built first = new ImageBuild.Built("", "", Path.of(""));
  private static List<String> files = List.of();
  private static JsonNode config = JSON.nullNode();

  @BeforeAll
  static void build() throws IOException {
    assumeThat(Path.of("/var/lib/dpkg/status")).as("images are built on Debian").exists();
    first = buildInto("first");
    Path unpacked = Files.createDirectory(directory.resolve("unpacked"));
    Tool.text("tar", "-xf", first.file().toString(), "-C", unpacked.toString());
    JsonNode manifest = blob(read(unpacked.resolve("index.json")).path("manifests").path(0));
    config = blob(manifest.path("config"));
    List<String> listed = new ArrayList<>();
    for (JsonNode layer : manifest.path("layers")) {
      listed.addAll(Tool.lines("tar", "--numeric-owner", "-tvzf", stored(layer).toString()));
    }
    files = listed;
  }

  private static ImageBuild.Built buildInto(String name) throws IOException {
    return new ImageBuild(ROOT, directory.resolve(name)).build(List.of(NAME)).getFirst();
  }

  private static Path stored(JsonNode descriptor) {
    return directory.resolve(
        "unpacked/blobs/" + descriptor.path("digest").asText().replace(':', '/'));
  }

  private static JsonNode blob(JsonNode descriptor) throws IOException {
    Path file = stored(descriptor);
    assertThat("sha256:" + Digest.of(file)).isEqualTo(descriptor.path("digest").asText());
    assertThat(Files.size(file)).isEqualTo(descriptor.path("size").asLong());
    return read(file);
  }

  private static JsonNode read(Path file) throws IOException {
    return JSON.readTree(file.toFile());
  }

  @Test
  void sameBuildGivesTheSameBytes() throws IOException {
    ImageBuild.Built second = buildInto("second");
    assertThat(second.digest()).isEqualTo(first.digest());
    assertThat(second.file()).hasSameBinaryContentAs(first.file());
    assertThat(directory.resolve("second/runtime-cpu.cdx.json"))
        .hasSameBinaryContentAs(directory.resolve("first/runtime-cpu.cdx.json"));
  }

  @Test
  void nothingInItIsAnybodysOrRunsAsAnotherUser() {
    assertThat(files)
        .allMatch(line -> line.matches("\\S+ 0/0 .*"))
        .noneMatch(line -> line.substring(0, 10).contains("s"));
    assertThat(config.path("config").path("User").asText()).isEqualTo("65532:65532");
  }

  @Test
  void itHoldsNoShellAndNoLibraryOfAnotherSystem() {
    assertThat(files)
        .anyMatch(line -> line.endsWith(" lib/x86_64-linux-gnu/libc.so.6"))
        .anyMatch(line -> line.endsWith(" java/bin/java"))
        .noneMatch(line -> line.matches(".*/(sh|bash|dpkg|apt)"));
  }

  @Test
  void billOfMaterialsNamesWhatIsInIt() throws IOException {
    JsonNode sbom = read(directory.resolve("first/runtime-cpu.cdx.json"));
    assertThat(sbom.path("metadata").path("component").path("purl").asText())
        .contains(first.digest().replace(":", "%3A"));
    var names = new TreeSet<String>();
    for (JsonNode component : sbom.path("components")) {
      assertThat(component.path("version").asText()).as("%s", component).isNotEmpty();
      names.add(component.path("name").asText());
    }
    assertThat(names)
        .contains("libc6", "libgcc-s1", "java-runtime", "weft-runtime-cpu", "jackson-core");
    long jars = files.stream().filter(line -> line.matches(".* app/.*\\.jar")).count();
    assertThat(sbom.path("components").findValues("hashes")).hasSize((int) jars);
  }
}
