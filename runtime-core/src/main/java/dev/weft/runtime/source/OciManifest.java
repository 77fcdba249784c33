package dev.weft.runtime.source;

import com.fasterxml.jackson.databind.JsonNode;
import dev.weft.runtime.source.SourceException.Code;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;

/// What an artifact or image of a registry holds.
///
/// A layer with a file's name is that file (`org.opencontainers.image.title`, as ORAS writes it;
/// `org.cncf.model.filepath`, as ModelPack does). A layer that is an archive holds files: those of
/// the artifact, or, in a container image, those under `/models`. Other layers are none of a
/// model's.
///
/// @param digest of the manifest
/// @param files that layers are
/// @param archives that layers are
record OciManifest(String digest, List<ListedFile> files, List<Archive> archives) {
  private static final Pattern DIGEST = Pattern.compile("sha256:[0-9a-f]{64}");
  private static final String TITLE = "org.opencontainers.image.title";
  private static final String FILE_PATH = "org.cncf.model.filepath";
  private static final String UNPACK = "io.deis.oras.content.unpack";

  OciManifest {
    files = List.copyOf(files);
    archives = List.copyOf(archives);
  }

  /// A layer of several files.
  ///
  /// @param blob the layer; its path is its hash
  /// @param folder the files are in this folder of it; empty for all of it
  record Archive(ListedFile blob, boolean gzip, String folder) {}

  /// Reads a manifest.
  static OciManifest of(String digest, JsonNode manifest) {
    if (!manifest.path("layers").isArray()) {
      throw new SourceException(Code.UNUSABLE, "the registry's manifest has no layers");
    }
    List<ListedFile> files = new ArrayList<>();
    List<Archive> archives = new ArrayList<>();
    for (JsonNode layer : manifest.path("layers")) {
      String type = layer.path("mediaType").asText().toLowerCase(Locale.ROOT);
      JsonNode annotations = layer.path("annotations");
      String title = annotations.path(TITLE).asText("");
      String path = title.isEmpty() ? annotations.path(FILE_PATH).asText("") : title;
      boolean tar = type.matches(".*[.+]tar([.+](gzip|zstd))?");
      // ORAS calls a plain file an archive too, unless it is told its type.
      boolean archive =
          tar && (title.isEmpty() || annotations.path(UNPACK).asText().equals("true"));
      if (archive) {
        archives.add(archive(layer, type, path.isEmpty() && isImage(type) ? "models" : ""));
      } else if (!path.isEmpty()) {
        files.add(file(layer, path));
      }
    }
    return new OciManifest(digest, files, archives);
  }

  private static boolean isImage(String type) {
    return type.startsWith("application/vnd.oci.image.layer.")
        || type.startsWith("application/vnd.docker.image.rootfs.");
  }

  private static Archive archive(JsonNode layer, String type, String folder) {
    if (type.endsWith("zstd")) {
      throw new SourceException(
          Code.UNUSABLE, "a layer is compressed with zstd, which is not read; use gzip or none");
    }
    return new Archive(file(layer, hash(layer)), type.endsWith("gzip"), folder);
  }

  private static ListedFile file(JsonNode layer, String path) {
    if (!ModelFileNames.isPlainPath(path)) {
      throw new SourceException(Code.REFUSED, "the artifact lists a name that leads out: " + path);
    }
    long bytes = layer.path("size").asLong(-1);
    if (bytes < 0) {
      throw new SourceException(
          Code.UNUSABLE, "the artifact lists %s without size".formatted(path));
    }
    return new ListedFile(path, bytes, Hashes.SHA_256, hash(layer));
  }

  private static String hash(JsonNode descriptor) {
    return digest(descriptor).substring("sha256:".length());
  }

  static String digest(JsonNode descriptor) {
    String digest = descriptor.path("digest").asText();
    if (!DIGEST.matcher(digest).matches()) {
      throw new SourceException(
          Code.UNUSABLE, "the registry's manifest has a digest that is no sha256: " + digest);
    }
    return digest;
  }

  /// The manifest that an index has for this kind of machine: the only one there is, or that of
  /// linux/amd64.
  static Optional<String> ofThisMachine(JsonNode index) {
    List<JsonNode> manifests = new ArrayList<>();
    for (JsonNode manifest : index.path("manifests")) {
      // Statements about another manifest of the index have a platform that is none.
      if (!manifest.at("/platform/os").asText("linux").equals("unknown")) {
        manifests.add(manifest);
      }
    }
    if (manifests.size() == 1) {
      return Optional.of(digest(manifests.getFirst()));
    }
    return manifests.stream()
        .filter(each -> each.at("/platform/os").asText().equals("linux"))
        .filter(each -> each.at("/platform/architecture").asText().equals("amd64"))
        .map(OciManifest::digest)
        .findFirst();
  }

  /// Bytes of all files of the layers that may be a model's.
  long bytes() {
    long named =
        files.stream()
            .filter(file -> ModelFileNames.isWanted(file.path()))
            .mapToLong(ListedFile::bytes)
            .sum();
    return named + archives.stream().mapToLong(archive -> archive.blob().bytes()).sum();
  }
}
