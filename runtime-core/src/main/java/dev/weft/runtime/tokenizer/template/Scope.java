package dev.weft.runtime.tokenizer.template;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Names inside a block. A name set inside hides one outside and ends with the block.
final class Scope {
  private final @Nullable Scope outer;
  private final Map<String, Value> names = new HashMap<>();

  private Scope(@Nullable Scope outer) {
    this.outer = outer;
  }

  static Scope outermost(Map<String, Value> names) {
    Scope scope = new Scope(null);
    scope.names.putAll(names);
    return scope;
  }

  Scope inner() {
    return new Scope(this);
  }

  Value get(String name) {
    for (Scope scope = this; scope != null; scope = scope.outer) {
      Value value = scope.names.get(name);
      if (value != null) {
        return value;
      }
    }
    return new Value.Undefined(name);
  }

  void set(String name, Value value) {
    names.put(name, value);
  }
}
