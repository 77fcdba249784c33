package dev.weft.runtime.backend;

import dev.weft.runtime.memory.Scratch;
import dev.weft.runtime.memory.VirtualTensor;

/// What a decoder works in. The executable closes it with itself.
///
/// @param kv addresses for its KV blocks; a step may use the blocks that mapped chunks hold
/// @param scratch for what a step computes
public record DecoderMemory(VirtualTensor kv, Scratch scratch) implements AutoCloseable {
  @Override
  public void close() {
    try (Scratch _ = scratch) {
      kv.close();
    }
  }
}
