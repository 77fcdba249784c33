package dev.weft.platform.images;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestOutputStream;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.GZIPOutputStream;

/// An image in the layout of the Open Container Initiative, as one tar file: what container
/// runtimes import and registries' clients copy.
final class OciImage {
  private static final String MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";
  private static final String CONFIG_TYPE = "application/vnd.oci.image.config.v1+json";
  private static final String LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip";
  private static final String INDEX_TYPE = "application/vnd.oci.image.index.v1+json";
  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS);

  /// A layer as it is stored: its compressed file, that file's digest and that of the bare archive.
  record Layer(Path file, String digest, String bareDigest) {}

  /// How a container of the image is started.
  record Start(List<String> entrypoint, Map<String, String> environment, String directory) {
    Start {
      entrypoint = List.copyOf(entrypoint);
      environment = Map.copyOf(environment);
    }
  }

  private final String name;
  private final Instant time;
  private final Start start;
  private final Map<String, String> labels;
  private final List<Layer> layers = new ArrayList<>();

  /// @param name with its tag, such as `docker.io/weft/platform:0.1.0`
  /// @param time of everything in it
  OciImage(String name, Instant time, Start start, Map<String, String> labels) {
    this.name = name;
    this.time = time;
    this.start = start;
    this.labels = new TreeMap<>(labels);
  }

  OciImage add(Layer layer) {
    layers.add(layer);
    return this;
  }

  /// Writes a layer's archive beside others, under a name of its own.
  static Layer layer(LayerFiles files, Path file, Instant time) throws IOException {
    DigestOutputStream stored =
        Digest.summing(new BufferedOutputStream(Files.newOutputStream(file), 1 << 16));
    DigestOutputStream bare = Digest.summing(new GZIPOutputStream(stored, 1 << 16));
    try (var tar = new TarWriter(bare, time)) {
      files.writeTo(tar);
    }
    return new Layer(
        file, Digest.hex(stored.getMessageDigest()), Digest.hex(bare.getMessageDigest()));
  }

  /// Writes the image and returns the digest by which it is known, that of its manifest.
  String write(Path file) throws IOException {
    byte[] config = JSON.writeValueAsBytes(config());
    byte[] manifest = JSON.writeValueAsBytes(manifest(config));
    byte[] index = JSON.writeValueAsBytes(index(manifest));
    var blobs = new TreeMap<String, Object>();
    blobs.put(Digest.of(config), config);
    blobs.put(Digest.of(manifest), manifest);
    layers.forEach(layer -> blobs.put(layer.digest(), layer.file()));
    try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(file), 1 << 16);
        var tar = new TarWriter(out, time)) {
      tar.file("oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}".getBytes(UTF_8), 0644);
      tar.file("index.json", index, 0644);
      tar.directory("blobs", 0755);
      tar.directory("blobs/sha256", 0755);
      for (var blob : blobs.entrySet()) {
        String path = "blobs/sha256/" + blob.getKey();
        if (blob.getValue() instanceof Path stored) {
          tar.file(path, stored, 0644);
        } else {
          tar.file(path, (byte[]) blob.getValue(), 0644);
        }
      }
    }
    return "sha256:" + Digest.of(manifest);
  }

  private ObjectNode config() {
    ObjectNode root = NODES.objectNode();
    root.put("created", time.toString()).put("architecture", "amd64").put("os", "linux");
    ObjectNode config = root.putObject("config");
    config.put("User", Recipes.USER + ":" + Recipes.USER).put("WorkingDir", start.directory());
    config.set("Entrypoint", JSON.valueToTree(start.entrypoint()));
    config.set(
        "Env",
        JSON.valueToTree(
            new TreeMap<>(start.environment())
                .entrySet().stream()
                    .map(variable -> variable.getKey() + "=" + variable.getValue())
                    .toList()));
    config.set("Labels", JSON.valueToTree(labels));
    ObjectNode rootfs = root.putObject("rootfs").put("type", "layers");
    rootfs.set(
        "diff_ids",
        JSON.valueToTree(layers.stream().map(layer -> "sha256:" + layer.bareDigest()).toList()));
    return root;
  }

  private ObjectNode manifest(byte[] config) throws IOException {
    ObjectNode root = NODES.objectNode().put("schemaVersion", 2).put("mediaType", MANIFEST_TYPE);
    root.set("config", descriptor(CONFIG_TYPE, Digest.of(config), config.length));
    var list = root.putArray("layers");
    for (Layer layer : layers) {
      list.add(descriptor(LAYER_TYPE, layer.digest(), Files.size(layer.file())));
    }
    return root;
  }

  private ObjectNode index(byte[] manifest) {
    ObjectNode root = NODES.objectNode().put("schemaVersion", 2).put("mediaType", INDEX_TYPE);
    ObjectNode entry = descriptor(MANIFEST_TYPE, Digest.of(manifest), manifest.length);
    // The one is what containerd calls the image by, the other what other clients do.
    JsonNode annotations =
        NODES
            .objectNode()
            .put("io.containerd.image.name", name)
            .put("org.opencontainers.image.ref.name", name.substring(name.lastIndexOf(':') + 1));
    entry.set("annotations", annotations);
    root.putArray("manifests").add(entry);
    return root;
  }

  private static ObjectNode descriptor(String type, String digest, long size) {
    return NODES
        .objectNode()
        .put("mediaType", type)
        .put("digest", "sha256:" + digest)
        .put("size", size);
  }
}
