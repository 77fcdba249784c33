package dev.weft.platform.e2e.cluster;

import static dev.weft.platform.e2e.cluster.Release.kubectl;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;

/// SmolLM2 from the volume, as an object of the release's namespace.
record DeployedFunction(String name) {
  /// Deploys it, or changes it; each other spec is a revision.
  ///
  /// @param scaling such as `{min: 0}`
  /// @param traffic such as `[{percent: 100}]`
  void apply(String scaling, String traffic) {
    Kubectl.apply(
        manifest(scaling) + "  traffic: %s\n".formatted(traffic), "-n", Release.NAMESPACE);
  }

  String manifest(String scaling) {
    return """
    apiVersion: weft.dev/v1alpha1
    kind: Function
    metadata: {name: %s}
    spec:
      model:
        kind: generation
        sources: [{uri: "file:/models/models/SmolLM2-135M-Instruct.Q4_1.gguf"}]
      scaling: %s
    """
        .formatted(name, scaling);
  }

  /// @param spec members that are changed, as JSON
  String patch(String spec) {
    return kubectl("patch", "fn", name, "--type=merge", "-p", "{\"spec\":%s}".formatted(spec));
  }

  JsonNode status() {
    return Release.get("fn", name).path("status");
  }

  /// The reason of a condition.
  String reason(String condition) {
    for (JsonNode each : status().path("conditions")) {
      if (each.path("type").asText().equals(condition)) {
        return each.path("reason").asText();
      }
    }
    return "";
  }

  /// The id of a revision.
  String revision(int number) {
    return "%s-%05d".formatted(name, number);
  }

  /// Of the newest thousand calls, which revisions answered those whose ids begin so.
  List<String> revisions(Callers manager, String requestIds) {
    List<String> revisions = new ArrayList<>();
    manager
        .get("/api/v1/functions/%s/invocations?limit=1000".formatted(name))
        .path("invocations")
        .forEach(each -> {
          if (each.path("requestId").asText().startsWith(requestIds)) {
            revisions.add(each.path("revision").asText());
          }
        });
    return revisions;
  }
}
