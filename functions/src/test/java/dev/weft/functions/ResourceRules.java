package dev.weft.functions;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/// What the apiserver checks beside types, in its expression language, with the words that a user
/// is refused with. The records check the same when the operator reads a resource; these are for
/// saying it at once.
final class ResourceRules {
  private final Map<String, List<Rule>> byPath = new LinkedHashMap<>();
  private final Set<String> used = new TreeSet<>();

  private record Rule(String expression, String message) {}

  private ResourceRules() {}

  /// No rules: for what only the operator writes.
  static ResourceRules none() {
    return new ResourceRules();
  }

  static ResourceRules ofFunction() {
    ResourceRules rules = new ResourceRules();
    rules.name();
    rules.sources();
    rules.adapters();
    for (String member : List.of("serviceLevel.ttft", "serviceLevel.tpot")) {
      rules.duration("spec." + member);
      rules.rule(
          "spec." + member,
          "self.startsWith('P') || !self.matches('^[0-9]+(ms|s|m|h)$') || duration(self) > duration('0s')",
          "must be more than zero");
    }
    rules.duration("spec.scaling.keepAlive");
    rules.upTo("spec.scaling.keepAlive", "8760h", "a year (8760h) at most");
    rules.duration("spec.scaling.waitBudget");
    rules.upTo("spec.scaling.waitBudget", "24h", "a day (24h) at most");
    rules.rule(
        "spec.scaling",
        "!has(self.min) || !has(self.max) || self.min <= self.max",
        "min is more than max");
    rules.traffic();
    return rules;
  }

  static ResourceRules ofRevision() {
    ResourceRules rules = new ResourceRules();
    rules.rule("spec", "self == oldSelf", "a revision never changes: change its function instead");
    return rules;
  }

  static ResourceRules ofPool() {
    ResourceRules rules = new ResourceRules();
    rules.rule(
        "",
        "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$')",
        "metadata.name: use 1 to 40 of a-z, 0-9 and '-', starting and ending with a letter or digit");
    rules.rule(
        "spec",
        "!has(self.replicas) || (has(self.workload) && self.workload == 'deployment')",
        "replicas is for workload: deployment; a daemonset has a runtime on every node that fits");
    rules.rule(
        "spec",
        "self.device == 'gpu' || !has(self.resources) || !has(self.resources.gpus)",
        "resources.gpus is for device: gpu");
    rules.rule("spec", "self.device == oldSelf.device", "device never changes: make another pool");
    rules.rule(
        "spec",
        "(has(self.workload) ? self.workload : 'daemonset') == (has(oldSelf.workload) ? oldSelf.workload : 'daemonset')",
        "workload never changes: make another pool");
    rules.rule("spec.replicas", "self >= 0", "replicas is negative");
    rules.rule("spec.resources.gpus", "self >= 1", "gpus is at least 1");
    for (String member : List.of("cpu", "memory")) {
      rules.quantity("spec.resources." + member);
    }
    rules.quantity("spec.cache.size");
    rules.rule(
        "spec.cache",
        "[has(self.claim), has(self.hostPath), has(self.size)].filter(x, x).size() <= 1",
        "give one of claim, hostPath and size");
    rules.rule(
        "spec.cache.hostPath",
        "self.startsWith('/') && !self.contains('..')",
        "a whole path is wanted, without '..'");
    rules.rule(
        "spec.models[]", "has(self.claim) != has(self.image)", "give one of claim and image");
    rules.rule(
        "spec.models[]",
        "has(self.name) || !has(self.image)",
        "an image needs a name: runtimes see it at /models/NAME");
    rules.rule(
        "spec.models[].name",
        "self.matches('^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$')",
        "use 1 to 40 of a-z, 0-9 and '-', starting and ending with a letter or digit");
    rules.rule(
        "spec.models[].pullPolicy",
        "self in ['Always', 'IfNotPresent', 'Never']",
        "one of Always, IfNotPresent, Never is wanted");
    rules.rule(
        "spec.models[].path",
        "self.startsWith('/') && !self.contains('..')",
        "a whole path is wanted, without '..'");
    rules.rule(
        "spec.tolerations[].effect",
        "self in ['NoSchedule', 'PreferNoSchedule', 'NoExecute']",
        "one of NoSchedule, PreferNoSchedule, NoExecute is wanted");
    rules.rule(
        "spec.tolerations[].operator",
        "self in ['Equal', 'Exists']",
        "one of Equal, Exists is wanted");
    return rules;
  }

  private void name() {
    String name = "^" + FunctionName.PATTERN + "$";
    rule(
        "",
        "self.metadata.name.matches('%s')".formatted(name),
        "metadata.name: use 1 to 63 of a-z, 0-9 and '-', starting and ending with a letter or digit");
    rule(
        "spec.adapterOf",
        "self.matches('%s')".formatted(name),
        "not a function's name: use 1 to 63 of a-z, 0-9 and '-', starting and ending with a letter or digit");
    rule(
        "",
        "!has(self.spec.adapterOf) || self.spec.adapterOf != self.metadata.name",
        "spec.adapterOf: a function cannot be an adapter of itself");
  }

  private void sources() {
    String path = "spec.model.sources[]";
    String rest = "[^\\\\x00-\\\\x20\\\\x7f]+";
    String word = "[^/@=\\\\x00-\\\\x20\\\\x7f]+";
    rule(
        path + ".uri",
        "['file:', 'hf:', 'https:', 'oci:', 'pypi:', 's3:'].exists(scheme, self.startsWith(scheme))",
        "starts with none of file:, hf:, https:, oci:, pypi:, s3:");
    rule(
        path + ".uri",
        "!self.startsWith('file:') || self.matches('^file:[^\\\\x00-\\\\x1f\\\\x7f]+$')",
        "write file:/path/to/model");
    rule(
        path + ".uri",
        "!self.startsWith('hf:') || (self.matches('^hf://%1$s/%1$s([@/]%2$s)?$') && !self.matches('(^|/)[.][.](/|$)'))"
            .formatted(word, rest),
        "write hf://org/name, hf://org/name@revision or hf://org/name@revision/file");
    rule(
        path + ".uri",
        "!self.startsWith('https:') || self.matches('^https://[^/\\\\x00-\\\\x20\\\\x7f]+/%s$')"
            .formatted(rest),
        "write https://host/path");
    rule(
        path + ".uri",
        "!self.startsWith('pypi:') || (self.matches('^pypi://%1$s==%1$s/%2$s$') && !self.matches('(^|/)[.][.](/|$)'))"
            .formatted(word, rest),
        "write pypi://package==version/path/inside");
    rule(
        path + ".uri",
        "!self.startsWith('oci:') || self.matches('^%s$')".formatted(ModelSource.REGISTRY),
        "write oci://registry/repository:tag or oci://registry/repository@sha256:digest");
    rule(
        path + ".uri",
        "!self.startsWith('s3:') || (self.matches('^s3://[A-Za-z0-9][A-Za-z0-9._-]{1,62}(/%s)?$') && !self.matches('(^|/)[.][.](/|$)'))"
            .formatted(rest),
        "write s3://bucket/file or s3://bucket/folder");
    rule(
        path + ".sha256",
        "self.matches('^[0-9a-f]{64}$')",
        "write the 64 hexadecimal digits of the file's SHA-256, in lower case");
  }

  private void adapters() {
    String adapter = "!has(self.adapterOf) || ";
    rule(
        "spec",
        adapter + "!has(self.model.contextLength)",
        "model.contextLength: leave it out: an adapter has its base's");
    for (String member : List.of("quantization", "kvCache")) {
      rule(
          "spec",
          adapter + "!has(self.%1$s) || self.%1$s == 'auto'".formatted(member),
          member + ": leave it out: an adapter has its base's");
    }
    rule(
        "spec",
        adapter + "!has(self.devices) || size(self.devices) == 2",
        "devices: leave it out: an adapter has its base's");
    rule(
        "spec",
        adapter + "!has(self.model.kind) || self.model.kind != 'embedding'",
        "model.kind: an adapter generates text; embedding models have none");
  }

  private void traffic() {
    rule(
        "spec.traffic",
        "size(self) == 0 || self.map(share, share.percent).sum() == 100",
        "the shares do not make 100 percent");
    rule(
        "spec.traffic",
        "self.filter(share, !has(share.revision)).size() <= 1",
        "more than one share is the newest revision's: give the others a revision");
    rule(
        "spec.traffic",
        "self.all(one, !has(one.revision) || self.filter(other, has(other.revision) && other.revision == one.revision).size() == 1)",
        "a revision has more than one share");
    rule("spec.traffic[].percent", "self >= 0 && self <= 100", "percent is a number from 0 to 100");
    rule("spec.traffic[].revision", "self >= 1", "revision is a number from 1");
  }

  private void duration(String path) {
    rule(
        path,
        "self.matches('^([0-9]{1,18}(ms|s|m|h)|P([0-9]+D)?(T([0-9]+H)?([0-9]+M)?([0-9]+([.][0-9]{1,9})?S)?)?)$')"
            + " && !self.endsWith('P') && !self.endsWith('T')",
        "not a duration: write 500ms, 2s, 5m, 1h or ISO-8601 such as PT1M30S");
  }

  private void upTo(String path, String most, String message) {
    rule(
        path,
        "!self.matches('^[0-9]{1,12}(ms|s|m|h)$') || duration(self) <= duration('%s')"
            .formatted(most),
        message);
  }

  private void quantity(String path) {
    rule(path, "isQuantity(self)", "not a quantity: write 4, 500m, 16Gi");
  }

  private void rule(String path, String expression, String message) {
    byPath.computeIfAbsent(path, _ -> new ArrayList<>()).add(new Rule(expression, message));
  }

  /// Adds the rules of a place to its schema.
  void addTo(ObjectNode schema, String path) {
    List<Rule> rules = byPath.getOrDefault(path, List.of());
    if (rules.isEmpty()) {
      return;
    }
    used.add(path);
    ArrayNode validations = schema.putArray("x-kubernetes-validations");
    for (Rule rule : rules) {
      validations.addObject().put("rule", rule.expression()).put("message", rule.message());
    }
  }

  /// A rule for a place that is not there checks nothing.
  void requireAllUsed() {
    if (!used.equals(byPath.keySet())) {
      throw new IllegalStateException(
          "rules for %s, places are %s".formatted(byPath.keySet(), used));
    }
  }
}
