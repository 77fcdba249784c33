package dev.weft.platform.management;

import dev.weft.functions.FunctionName;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.Model;
import dev.weft.platform.control.DeployedFunction;
import dev.weft.platform.control.FunctionDirectory;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What must hold between adapters and their bases, however functions change: a base is there,
/// generates text, and is no adapter itself.
final class Adapters {
  private Adapters() {}

  /// Refuses a spec that an active revision of `name` cannot have beside the other functions.
  static void check(FunctionName name, FunctionSpec spec, FunctionDirectory.Snapshot functions) {
    List<FunctionName> adapters = of(name, functions);
    FunctionName base = spec.adapterOf();
    if (base != null) {
      if (!adapters.isEmpty()) {
        throw invalid("'%s' has adapters itself: %s".formatted(name, adapters));
      }
      checkBase(name, base, functions.find(base).orElse(null));
    } else if (spec.model().kind() == Model.Kind.EMBEDDING && !adapters.isEmpty()) {
      throw new ManagementException(
          409,
          "has_adapters",
          "spec.model.kind",
          "'%s' has adapters, and embedding models have none: %s".formatted(name, adapters));
    }
  }

  private static void checkBase(
      FunctionName name, FunctionName base, @Nullable DeployedFunction found) {
    if (base.equals(name)) {
      throw invalid("'%s' cannot be an adapter of itself".formatted(name));
    }
    if (found == null) {
      throw invalid("there is no function '%s'; deploy it first".formatted(base));
    }
    if (found.spec().adapterOf() != null) {
      throw invalid("'%s' is an adapter itself, of '%s'".formatted(base, found.spec().adapterOf()));
    }
    if (found.spec().model().kind() == Model.Kind.EMBEDDING) {
      throw invalid("'%s' makes embeddings, and has no adapters".formatted(base));
    }
  }

  /// Refuses to take away a function that has adapters.
  static void requireNone(FunctionName name, FunctionDirectory.Snapshot functions) {
    List<FunctionName> adapters = of(name, functions);
    if (!adapters.isEmpty()) {
      throw new ManagementException(
          409,
          "has_adapters",
          null,
          "'%s' has adapters: %s; delete them first".formatted(name, adapters));
    }
  }

  private static List<FunctionName> of(FunctionName base, FunctionDirectory.Snapshot functions) {
    return functions.sorted().stream()
        .filter(function -> base.equals(function.spec().adapterOf()))
        .map(DeployedFunction::name)
        .toList();
  }

  private static ManagementException invalid(String message) {
    return new ManagementException(400, "invalid_manifest", "spec.adapterOf", message);
  }
}
