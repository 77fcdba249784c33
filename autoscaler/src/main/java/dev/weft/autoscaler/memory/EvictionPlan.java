package dev.weft.autoscaler.memory;

import dev.weft.functions.ByteSize;
import dev.weft.functions.RevisionId;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/// Which instances make room on a device.
///
/// Idle, unpinned instances are taken until the bytes suffice, those of the lowest priority first,
/// and of these the least recently used; then each that turned out not to be needed is let off, in
/// the opposite order. So no chosen instance is superfluous, a big recent one goes only where the
/// older ones together are too small, and one of a higher priority only where all of lower ones
/// together are. This is not the fewest bytes (that is a knapsack); it is what keeps the functions
/// that people use.
public final class EvictionPlan {
  private static final Comparator<Candidate> MAY_GO_FIRST =
      Comparator.comparingInt(Candidate::priority)
          .thenComparing(Candidate::lastUsedAt)
          .thenComparing(candidate -> candidate.revision().toString());

  private EvictionPlan() {}

  /// Decides how to get from `freeBytes` to `neededBytes`.
  public static Outcome decide(long neededBytes, long freeBytes, List<Candidate> instances) {
    long missingBytes = neededBytes - freeBytes;
    if (missingBytes <= 0) {
      return new NotNeeded();
    }
    List<Candidate> evictable =
        instances.stream().filter(Candidate::evictable).sorted(MAY_GO_FIRST).toList();
    long evictableBytes = evictable.stream().mapToLong(Candidate::bytes).sum();
    if (evictableBytes < missingBytes) {
      return new NotEnough(missingBytes - evictableBytes, shortage(missingBytes, instances));
    }
    List<Candidate> chosen = minimal(missingBytes, evictable);
    return new Evict(evictions(chosen));
  }

  /// All that may go, in that order: what they compute in goes with them only then.
  public static List<Eviction> all(List<Candidate> instances) {
    return evictions(instances.stream().filter(Candidate::evictable).sorted(MAY_GO_FIRST).toList());
  }

  private static List<Eviction> evictions(List<Candidate> chosen) {
    return chosen.stream()
        .map(candidate ->
            new Eviction(
                candidate.revision(),
                candidate.bytes(),
                "idle since %s, holds %s"
                    .formatted(candidate.lastUsedAt(), ByteSize.format(candidate.bytes()))))
        .toList();
  }

  private static List<Candidate> minimal(long missingBytes, List<Candidate> inOrder) {
    List<Candidate> chosen = new ArrayList<>();
    long bytes = 0;
    for (Candidate candidate : inOrder) {
      if (bytes >= missingBytes) {
        break;
      }
      chosen.add(candidate);
      bytes += candidate.bytes();
    }
    for (int i = chosen.size() - 1; i >= 0; i--) {
      if (bytes - chosen.get(i).bytes() >= missingBytes) {
        bytes -= chosen.remove(i).bytes();
      }
    }
    return List.copyOf(chosen);
  }

  private static String shortage(long missingBytes, List<Candidate> instances) {
    long idle = bytesOf(instances.stream().filter(Candidate::evictable).toList());
    long pinned = bytesOf(instances.stream().filter(Candidate::pinned).toList());
    long busy = bytesOf(instances.stream().filter(c -> c.busy() && !c.pinned()).toList());
    return "%s are missing; idle instances hold %s, busy ones %s, pinned ones %s"
        .formatted(
            ByteSize.format(missingBytes),
            ByteSize.format(idle),
            ByteSize.format(busy),
            ByteSize.format(pinned));
  }

  private static long bytesOf(List<Candidate> instances) {
    return instances.stream().mapToLong(Candidate::bytes).sum();
  }

  /// An instance on the device.
  ///
  /// @param bytes all that its going would free in any case: weights, KV
  /// @param activationBytes what it computes in, which it shares with the others
  /// @param busy whether it has requests, or is being loaded
  /// @param pinned whether its function keeps it loaded always
  /// @param priority how much its function counts
  public record Candidate(
      RevisionId revision,
      long bytes,
      long activationBytes,
      Instant lastUsedAt,
      boolean busy,
      boolean pinned,
      int priority) {
    /// With a priority of 1.
    public Candidate(
        RevisionId revision,
        long bytes,
        long activationBytes,
        Instant lastUsedAt,
        boolean busy,
        boolean pinned) {
      this(revision, bytes, activationBytes, lastUsedAt, busy, pinned, 1);
    }

    public Candidate {
      if (bytes < 0 || activationBytes < 0) {
        throw new IllegalArgumentException(
            "bytes are negative: %d, %d".formatted(bytes, activationBytes));
      }
    }

    /// Whether it may go.
    public boolean evictable() {
      return !busy && !pinned;
    }
  }

  /// What was decided.
  public sealed interface Outcome {}

  /// There is room already.
  public record NotNeeded() implements Outcome {}

  /// These go, in this order.
  public record Evict(List<Eviction> evictions) implements Outcome {
    public Evict {
      evictions = List.copyOf(evictions);
    }

    public long freedBytes() {
      return evictions.stream().mapToLong(Eviction::bytes).sum();
    }
  }

  /// All idle instances together do not free enough; `missingBytes` stay missing.
  public record NotEnough(long missingBytes, String reason) implements Outcome {}

  /// One instance that goes, and why it.
  public record Eviction(RevisionId revision, long bytes, String reason) {}
}
