package dev.weft.platform.images;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.platform.images.DebianFiles.DebianPackage;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Properties;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// An image's bill of materials, in CycloneDX's form.
final class Sbom {
  private static final Pattern JAR = Pattern.compile("(.+?)(?:-(\\d.*))?\\.jar");
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

  private final ObjectNode root = JsonNodeFactory.instance.objectNode();
  private final ArrayNode components;

  /// @param digest the image's
  Sbom(String image, String version, String digest, Instant time) {
    root.put("bomFormat", "CycloneDX").put("specVersion", "1.6").put("version", 1);
    String name = image.substring(image.lastIndexOf('/') + 1);
    root.putObject("metadata")
        .put("timestamp", time.toString())
        .putObject("component")
        .put("type", "container")
        .put("name", image)
        .put("version", version)
        .put("purl", "pkg:oci/%s@%s".formatted(name, digest.replace(":", "%3A")));
    components = root.putArray("components");
  }

  void add(DebianPackage debian) {
    components
        .addObject()
        .put("type", "library")
        .put("name", debian.name())
        .put("version", debian.version())
        .put(
            "purl",
            "pkg:deb/debian/%s@%s?arch=amd64&upstream=%s"
                .formatted(
                    debian.name().replace("+", "%2B"),
                    debian.version().replace("+", "%2B").replace(":", "%3A"),
                    debian.source()));
  }

  void add(JavaRuntime java) {
    components
        .addObject()
        .put("type", "platform")
        .put("publisher", java.vendor())
        .put("name", "java-runtime")
        .put("version", java.version())
        .put("purl", "pkg:generic/java-runtime@" + java.version().replace("+", "%2B"));
  }

  /// Jars that Maven made say which they are; of others there is the file's name.
  void add(Path jar) throws IOException {
    Matcher file = JAR.matcher(jar.getFileName().toString());
    if (!file.matches()) {
      throw new IOException("not a jar: " + jar);
    }
    Properties maven = maven(jar);
    String group = maven.getProperty("groupId", "");
    String artifact = maven.getProperty("artifactId", file.group(1));
    String version =
        maven.getProperty("version", file.group(2) == null ? "unknown" : file.group(2));
    ObjectNode component = components.addObject().put("type", "library");
    if (!group.isEmpty()) {
      component.put("group", group);
    }
    component.put("name", artifact).put("version", version);
    if (!group.isEmpty()) {
      component.put("purl", "pkg:maven/%s/%s@%s".formatted(group, artifact, version));
    }
    component.putArray("hashes").addObject().put("alg", "SHA-256").put("content", Digest.of(jar));
  }

  private static Properties maven(Path jar) throws IOException {
    var properties = new Properties();
    try (JarFile in = new JarFile(jar.toFile())) {
      List<JarEntry> found =
          in.stream()
              .filter(entry -> entry.getName().matches("META-INF/maven/.*/pom\\.properties"))
              .toList();
      // A jar that has swallowed others has theirs too.
      if (found.size() == 1) {
        try (InputStream content = in.getInputStream(found.getFirst())) {
          properties.load(content);
        }
      }
    }
    return properties;
  }

  void write(Path file) throws IOException {
    JSON.writeValue(file.toFile(), root);
  }
}
