package dev.weft.runtime.server;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.Tier;
import dev.weft.runtime.instance.InstanceManager;
import dev.weft.runtime.server.openai.ApiException;
import java.time.Instant;
import java.util.TreeMap;

/// `GET /v1/models` and `GET /v1/models/{model}`: the functions that serve here now.
final class ModelRoutes {
  private final InstanceManager instances;
  private final Instant startedAt;

  ModelRoutes(InstanceManager instances, Instant startedAt) {
    this.instances = instances;
    this.startedAt = startedAt;
  }

  void list(Call call) {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    json.put("object", "list");
    ArrayNode data = json.putArray("data");
    // A function may serve with two revisions for a while; it is one model.
    var modelByName = new TreeMap<String, ObjectNode>();
    for (InstanceStatus instance : instances.status().instances()) {
      if (instance.tier() == Tier.READY) {
        String name = instance.revision().function().value();
        modelByName.put(name, model(name));
      }
    }
    modelByName.values().forEach(data::add);
    call.respond(200, json);
  }

  void describe(Call call) {
    boolean serves =
        instances.status().instances().stream()
            .anyMatch(instance ->
                instance.tier() == Tier.READY
                    && instance.revision().function().value().equals(call.segment()));
    if (!serves) {
      throw new ApiException(ErrorMapping.unknownModel(call.segment()));
    }
    call.respond(200, model(call.segment()));
  }

  private ObjectNode model(String name) {
    ObjectNode model = JsonNodeFactory.instance.objectNode();
    model.put("id", name);
    model.put("object", "model");
    model.put("created", startedAt.getEpochSecond());
    model.put("owned_by", "weft");
    return model;
  }
}
