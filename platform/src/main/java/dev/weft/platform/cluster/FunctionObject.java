package dev.weft.platform.cluster;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.functions.Function;
import dev.weft.functions.FunctionName;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.InvalidManifestException;
import dev.weft.functions.Json;
import dev.weft.functions.Manifests;
import dev.weft.functions.Revision;
import dev.weft.functions.RevisionId;
import dev.weft.functions.cluster.FunctionStatus;
import dev.weft.functions.cluster.TrafficShare;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.ObjectMeta;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A `Function` as the cluster has it. Its spec is read when somebody asks for it: one that this
/// version cannot read stands in nobody else's way.
record FunctionObject(
    FunctionName name,
    String uid,
    long generation,
    Map<String, String> labels,
    Instant createdAt,
    boolean deleting,
    boolean finalized,
    JsonNode spec,
    @Nullable FunctionStatus status) {
  /// Keeps a deleted function until no device has anything of it.
  static final String FINALIZER = "weft.dev/unload";

  private static final ObjectMapper JSON = Json.mapper();

  static FunctionObject of(GenericKubernetesResource resource) {
    ObjectMeta metadata = resource.getMetadata();
    JsonNode status = JSON.valueToTree(resource.getAdditionalProperties().get("status"));
    return new FunctionObject(
        new FunctionName(metadata.getName()),
        metadata.getUid(),
        metadata.getGeneration() == null ? 0 : metadata.getGeneration(),
        metadata.getLabels() == null ? Map.of() : Map.copyOf(metadata.getLabels()),
        Instant.parse(metadata.getCreationTimestamp()),
        metadata.getDeletionTimestamp() != null,
        metadata.getFinalizers() != null && metadata.getFinalizers().contains(FINALIZER),
        JSON.valueToTree(resource.getAdditionalProperties().get("spec")),
        status(status));
  }

  /// A status that cannot be read is written anew.
  private static @Nullable FunctionStatus status(JsonNode status) {
    try {
      return status.isObject() ? JSON.treeToValue(status, FunctionStatus.class) : null;
    } catch (JsonProcessingException e) {
      return null;
    }
  }

  /// What was declared; throws [InvalidManifestException] when that cannot be run.
  Function declared() {
    ObjectNode manifest = JSON.createObjectNode();
    manifest.put("apiVersion", Function.API_VERSION).put("kind", Function.KIND);
    manifest
        .putObject("metadata")
        .put("name", name.value())
        .set("labels", JSON.valueToTree(labels));
    JsonNode only = spec.deepCopy();
    if (only instanceof ObjectNode object) {
      object.remove("traffic");
    }
    manifest.set("spec", only);
    return Manifests.parseOne(manifest.toString());
  }

  /// Who is to get how many calls; throws [InvalidManifestException] when that makes no sense.
  List<TrafficShare> traffic() {
    List<TrafficShare> shares = new ArrayList<>();
    try {
      for (JsonNode share : spec.path("traffic")) {
        shares.add(JSON.treeToValue(share, TrafficShare.class));
      }
    } catch (JsonProcessingException e) {
      throw new InvalidManifestException("spec.traffic", e.getOriginalMessage());
    }
    return shares;
  }

  /// A spec as objects have it: every source is an object.
  static ObjectNode tree(FunctionSpec spec) {
    ObjectNode tree = JSON.valueToTree(spec);
    ArrayNode sources = (ArrayNode) tree.at("/model/sources");
    for (int i = 0; i < sources.size(); i++) {
      if (sources.get(i).isTextual()) {
        sources.set(i, JSON.createObjectNode().put("uri", sources.get(i).asText()));
      }
    }
    return tree;
  }

  /// A `FunctionRevision` as the cluster has it.
  static Revision revision(GenericKubernetesResource resource) {
    JsonNode spec = JSON.valueToTree(resource.getAdditionalProperties().get("spec"));
    try {
      return new Revision(
          RevisionId.parse(resource.getMetadata().getName()),
          JSON.treeToValue(spec.path("template"), FunctionSpec.class),
          Instant.parse(resource.getMetadata().getCreationTimestamp()));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(
          "the revision %s cannot be read".formatted(resource.getMetadata().getName()), e);
    }
  }
}
