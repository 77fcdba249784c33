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
import dev.weft.platform.cluster.model.Namespaces;
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

  static FunctionObject of(GenericKubernetesResource resource, Namespaces namespaces) {
    ObjectMeta metadata = resource.getMetadata();
    JsonNode status = JSON.valueToTree(resource.getAdditionalProperties().get("status"));
    return new FunctionObject(
        namespaces.functionName(metadata.getNamespace(), metadata.getName()),
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

  /// What was declared, with a base in the same namespace; throws [InvalidManifestException] when
  /// that cannot be run.
  Function declared() {
    ObjectNode manifest = JSON.createObjectNode();
    manifest.put("apiVersion", Function.API_VERSION).put("kind", Function.KIND);
    manifest
        .putObject("metadata")
        .put("name", name.local())
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

  /// The spec that a function has among those of all namespaces, of one that its object has.
  static FunctionSpec global(FunctionName name, FunctionSpec spec) {
    FunctionName base = spec.adapterOf();
    return base == null ? spec : spec.withAdapterOf(name.beside(base));
  }

  /// A spec as objects have it: every source is an object, and a base is in the same namespace.
  static ObjectNode tree(FunctionSpec spec) {
    ObjectNode tree = JSON.valueToTree(spec);
    FunctionName base = spec.adapterOf();
    if (base != null) {
      tree.put("adapterOf", base.local());
    }
    ArrayNode sources = (ArrayNode) tree.at("/model/sources");
    for (int i = 0; i < sources.size(); i++) {
      if (sources.get(i).isTextual()) {
        sources.set(i, JSON.createObjectNode().put("uri", sources.get(i).asText()));
      }
    }
    return tree;
  }

  /// A `FunctionRevision` as the cluster has it.
  static Revision revision(GenericKubernetesResource resource, Namespaces namespaces) {
    JsonNode spec = JSON.valueToTree(resource.getAdditionalProperties().get("spec"));
    ObjectMeta metadata = resource.getMetadata();
    try {
      RevisionId id = namespaces.revisionId(metadata.getNamespace(), metadata.getName());
      return new Revision(
          id,
          global(id.function(), JSON.treeToValue(spec.path("template"), FunctionSpec.class)),
          Instant.parse(metadata.getCreationTimestamp()));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(
          "the revision %s cannot be read".formatted(metadata.getName()), e);
    }
  }
}
