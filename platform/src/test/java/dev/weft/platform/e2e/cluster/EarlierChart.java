package dev.weft.platform.e2e.cluster;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.stream.Stream;

/// The chart as an earlier release of it might have been: its definitions know one member less, and
/// have no rules beside the types of members. It has another version, and names images of it.
final class EarlierChart {
  /// The member that they do not know.
  static final String NEW_MEMBER = "serviceLevel";

  /// What its images are tagged with.
  static final String TAG = "earlier";

  private static final YAMLMapper YAML = new YAMLMapper();

  private EarlierChart() {}

  /// Writes it.
  static Path write(Path chart, Path target) throws IOException {
    try (Stream<Path> files = Files.walk(chart)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        Path copy = target.resolve(chart.relativize(file).toString());
        Files.createDirectories(copy.getParent());
        Files.copy(file, copy, StandardCopyOption.REPLACE_EXISTING);
      }
    }
    for (String name : List.of("functions", "functionrevisions")) {
      Path file = target.resolve("files/crds/%s.yaml".formatted(name));
      JsonNode definition = YAML.readTree(Files.readString(file));
      age(definition);
      Files.writeString(file, YAML.writeValueAsString(definition));
    }
    Path about = target.resolve("Chart.yaml");
    if (YAML.readTree(Files.readString(about)) instanceof ObjectNode root) {
      Files.writeString(
          about, YAML.writeValueAsString(root.put("version", "0.0.1").put("appVersion", TAG)));
    }
    return target;
  }

  private static void age(JsonNode tree) {
    if (tree instanceof ObjectNode object) {
      object.remove(List.of(NEW_MEMBER, "x-kubernetes-validations"));
    }
    tree.forEach(EarlierChart::age);
  }
}
