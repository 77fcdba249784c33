package dev.weft.autoscaler.memory;

import dev.weft.functions.ByteSize;
import java.util.Locale;

/// What one instance of a model takes of a device.
///
/// @param weightBytes resident weights
/// @param activationBytes scratch of the largest step, which all instances of a device share
/// @param contextChunks chunks of KV memory that one sequence as long as the context takes; 0 for a
///   model without a KV cache
/// @param chunkBytes what a chunk holds
/// @param contextLength the longest sequence, in tokens
public record ModelFootprint(
    long weightBytes, long activationBytes, int contextChunks, long chunkBytes, int contextLength) {
  public ModelFootprint {
    if (weightBytes < 0 || activationBytes < 0 || contextChunks < 0 || chunkBytes < 1) {
      throw new IllegalArgumentException(
          "impossible sizes: %d, %d, %d chunks of %d"
              .formatted(weightBytes, activationBytes, contextChunks, chunkBytes));
    }
    if (contextLength < 1) {
      throw new IllegalArgumentException("contextLength is not positive: " + contextLength);
    }
  }

  /// What is taken however many sequences there are.
  public long fixedBytes() {
    return Math.addExact(weightBytes, activationBytes);
  }

  /// What an instance has for itself: weights, and KV for one context.
  public long ownBytes() {
    return Math.addExact(weightBytes, contextBytes());
  }

  /// KV bytes of one sequence as long as the context.
  public long contextBytes() {
    return Math.multiplyExact(contextChunks, chunkBytes);
  }

  /// The least that an instance can work with: everything fixed, and one full context.
  public long leastBytes() {
    return Math.addExact(fixedBytes(), contextBytes());
  }

  /// The least, with its arithmetic: `13.4 GiB (weights 12.6 GiB + ...)`.
  public String describe() {
    String kv =
        contextChunks == 0
            ? ""
            : String.format(
                Locale.ROOT,
                " + KV for one context of %,d tokens %s",
                contextLength,
                ByteSize.format(contextBytes()));
    return "%s (weights %s + activations %s%s)"
        .formatted(
            ByteSize.format(leastBytes()),
            ByteSize.format(weightBytes),
            ByteSize.format(activationBytes),
            kv);
  }
}
