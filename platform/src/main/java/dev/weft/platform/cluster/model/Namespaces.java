package dev.weft.platform.cluster.model;

import dev.weft.functions.FunctionName;
import dev.weft.functions.RevisionId;

/// How functions are called that are objects of namespaces: those of the installation's own by
/// their names, and those of others `name.namespace`, as Services are. A function has one name.
///
/// @param own the installation's
public record Namespaces(String own) {
  /// The name of the function that an object of that name is.
  public FunctionName functionName(String namespace, String object) {
    if (!namespace.equals(own)) {
      return FunctionName.in(namespace, object);
    }
    FunctionName name = new FunctionName(object);
    if (name.namespace().isPresent()) {
      throw new IllegalArgumentException(
          "'%s' would be one of another namespace".formatted(object));
    }
    return name;
  }

  /// The revision that an object of that name is.
  public RevisionId revisionId(String namespace, String object) {
    RevisionId local = RevisionId.parse(object);
    return new RevisionId(functionName(namespace, local.function().value()), local.number());
  }

  /// The namespace that a function is in.
  public String of(FunctionName function) {
    return function.namespace().orElse(own);
  }
}
