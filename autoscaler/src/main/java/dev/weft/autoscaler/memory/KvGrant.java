package dev.weft.autoscaler.memory;

import dev.weft.functions.ByteSize;
import java.util.Locale;

/// How much KV memory an instance gets when it is loaded: enough for `targetSequences` full
/// contexts, but no more than a share of what is free once the model itself is in; and never less
/// than one full context, or a sequence as long as the context could not end.
///
/// @param targetSequences sequences of full length to have room for
/// @param maxFreeShare the most of the free memory to take, above 0 and up to 1; the rest is left
///   to the next function
public record KvGrant(int targetSequences, double maxFreeShare) {
  public static final KvGrant DEFAULT = new KvGrant(8, 0.5);

  public KvGrant {
    if (targetSequences < 1) {
      throw new IllegalArgumentException("targetSequences is not positive: " + targetSequences);
    }
    if (!(maxFreeShare > 0 && maxFreeShare <= 1)) {
      throw new IllegalArgumentException("maxFreeShare is not in (0, 1]: " + maxFreeShare);
    }
  }

  /// Decides on the free bytes of a device, before the model's fixed bytes are taken from them.
  public Outcome decide(ModelFootprint model, long freeBytes) {
    long leftBytes = freeBytes - model.fixedBytes();
    if (leftBytes < model.contextBytes()) {
      return new TooSmall(
          model.leastBytes() - freeBytes,
          "needs %s, %s are free"
              .formatted(model.describe(), ByteSize.format(Math.max(0, freeBytes))));
    }
    if (model.blockBytes() == 0) {
      return new Granted(0, 0, "the model has no KV cache");
    }
    int perContext = model.blocksPerContext();
    long target = (long) targetSequences * perContext;
    long share = (long) (leftBytes * maxFreeShare) / model.blockBytes();
    long blocks = Math.min(Math.max(perContext, Math.min(target, share)), Integer.MAX_VALUE);
    return new Granted(
        (int) blocks,
        blocks * model.blockBytes(),
        String.format(
            Locale.ROOT,
            "%,d blocks, %.1f contexts of %,d tokens: %s",
            blocks,
            (double) blocks / perContext,
            model.contextLength(),
            why(blocks, target, share)));
  }

  private String why(long blocks, long target, long share) {
    if (blocks == target) {
      return "the target of %d sequences".formatted(targetSequences);
    }
    return blocks == share
        ? String.format(Locale.ROOT, "%.0f %% of the free memory", maxFreeShare * 100)
        : "one full context, the least that works";
  }

  /// What was decided.
  public sealed interface Outcome {}

  /// The instance gets so much.
  public record Granted(int blockCount, long bytes, String reason) implements Outcome {}

  /// Not even one full context fits; `missingBytes` more would do.
  public record TooSmall(long missingBytes, String reason) implements Outcome {}
}
