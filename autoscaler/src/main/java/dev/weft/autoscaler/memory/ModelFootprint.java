package dev.weft.autoscaler.memory;

import dev.weft.functions.ByteSize;
import java.util.Locale;

/// What one instance of a model takes of a device.
///
/// @param weightBytes resident weights
/// @param activationBytes scratch of the largest step
/// @param blockBytes bytes of one KV block, all layers; 0 for a model without a KV cache
/// @param tokensPerBlock tokens that one block holds; 0 for a model without a KV cache
/// @param contextLength the longest sequence, in tokens
public record ModelFootprint(
    long weightBytes,
    long activationBytes,
    long blockBytes,
    int tokensPerBlock,
    int contextLength) {
  public ModelFootprint {
    if (weightBytes < 0 || activationBytes < 0 || blockBytes < 0 || tokensPerBlock < 0) {
      throw new IllegalArgumentException(
          "negative sizes: %d, %d, %d, %d"
              .formatted(weightBytes, activationBytes, blockBytes, tokensPerBlock));
    }
    if ((blockBytes == 0) != (tokensPerBlock == 0)) {
      throw new IllegalArgumentException(
          "%d tokens in a block of %d bytes".formatted(tokensPerBlock, blockBytes));
    }
    if (contextLength < 1) {
      throw new IllegalArgumentException("contextLength is not positive: " + contextLength);
    }
  }

  /// What is taken however many sequences there are.
  public long fixedBytes() {
    return Math.addExact(weightBytes, activationBytes);
  }

  /// KV blocks of one sequence as long as the context.
  public int blocksPerContext() {
    return tokensPerBlock == 0 ? 0 : Math.ceilDiv(contextLength, tokensPerBlock);
  }

  /// KV bytes of one sequence as long as the context.
  public long contextBytes() {
    return Math.multiplyExact(blocksPerContext(), blockBytes);
  }

  /// The least that an instance can work with: everything fixed, and one full context.
  public long leastBytes() {
    return Math.addExact(fixedBytes(), contextBytes());
  }

  /// The least, with its arithmetic: `13.4 GiB (weights 12.6 GiB + ...)`.
  public String describe() {
    String kv =
        blockBytes == 0
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
