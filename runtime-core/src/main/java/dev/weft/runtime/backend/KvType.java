package dev.weft.runtime.backend;

import dev.weft.functions.KvCache;

/// What a KV cache's elements are. Results are the same bits in every batch within a type, not
/// between types. A backend may hold more bits than asked for, never fewer.
public enum KvType {
  F16,
  /// 8 bits, with a float16 scale for each token, head, and K or V.
  INT8;

  /// What a function asks for; `auto` is [#F16].
  public static KvType of(KvCache asked) {
    return switch (asked) {
      case AUTO, F16 -> F16;
      case INT8 -> INT8;
    };
  }
}
