package dev.weft.runtime.engine;

import dev.weft.autoscaler.memory.KvForecast;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/// When the sequences that run on a device will need more KV memory than it has, looked at a few
/// times a second while it works; and what each decoder should have ready for its own until the
/// next look. Used by the device's thread, but for [#exhaustedAt].
final class MemoryForecast {
  /// Of not missing that memory runs out.
  private static final double CONFIDENCE = 0.95;

  private static final long PERIOD_NANOS = Duration.ofMillis(250).toNanos();

  /// What is expected within it is got ready.
  private static final long READY_NANOS = Duration.ofSeconds(2).toNanos();

  /// That memory runs out is said when it is as near as this, and until it is twice as far away, so
  /// that who acts on it is not told two things by turns.
  private static final long NEAR_NANOS = Duration.ofSeconds(10).toNanos();

  /// It is not in sight.
  static final long NEVER = Long.MAX_VALUE;

  private volatile long exhaustedAt = NEVER;
  private boolean looked;
  private long lookedAt;

  /// Whether it is time to look again.
  boolean due(long now) {
    return !looked || now - lookedAt >= PERIOD_NANOS;
  }

  void look(List<Work> instances, long now) {
    looked = true;
    lookedAt = now;
    List<KvForecast.Sequence> sequences = new ArrayList<>();
    long shared = 0;
    long capacity = 0;
    for (Work instance : instances) {
      KvHoldings holdings = instance.kvHoldings().orElse(null);
      if (holdings != null) {
        sequences.addAll(holdings.sequences());
        shared += holdings.sharedBytes();
        // It is one memory, of which each says how much it could have of it.
        capacity = Math.max(capacity, holdings.capacityBytes());
        instance.expectKv(holdings.bytesAfter(READY_NANOS, CONFIDENCE));
      }
    }
    OptionalLong left =
        KvForecast.timeToExhaustion(sequences, capacity + shared, CONFIDENCE, 2 * NEAR_NANOS);
    boolean told = exhaustedAt != NEVER;
    exhaustedAt =
        left.isPresent() && (told || left.getAsLong() <= NEAR_NANOS)
            ? now + left.getAsLong()
            : NEVER;
  }

  /// Nothing runs any more.
  void clear() {
    exhaustedAt = NEVER;
    looked = false;
  }

  /// By the engine's clock; [#NEVER] when it is not in sight. **thread**: any.
  long exhaustedAt() {
    return exhaustedAt;
  }
}
