package dev.weft.autoscaler.memory;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.function.ToIntFunction;

/// Whose memory goes to an instance that needs more for its sequences, while it runs.
///
/// What costs least goes first: free chunks; chunks that others have and do not use; their cached
/// prefixes, which may be computed again; and at last chunks of their running sequences, the newest
/// of which then wait. That last step is a matter of fairness: everyone is entitled to its
/// guarantee and to a part of the rest in proportion to its priority, as far as it can use it
/// (max-min fair). An instance gets others' live chunks up to its entitlement, and loses its own
/// down to it, never below; beyond its guarantee it gets none of who has a higher priority. So idle
/// memory goes to whoever is busy, comes back when its owner is, and nobody is without its
/// guarantee, whatever its priority.
public final class ChunkShares {
  private ChunkShares() {}

  /// One instance's KV memory, in chunks.
  ///
  /// @param held mapped now
  /// @param live of these, what running sequences have or were promised
  /// @param cached of these, what only cached prefixes use
  /// @param wanted what it could use beside `live`, for sequences that wait
  /// @param guarantee what it can have back at any time; all guarantees fit the device
  /// @param priority how much it counts, at least 1
  public record Member(
      String name, int held, int live, int cached, int wanted, int guarantee, int priority) {
    /// With a priority of 1.
    public Member(String name, int held, int live, int cached, int wanted, int guarantee) {
      this(name, held, live, cached, wanted, guarantee, 1);
    }

    public Member {
      if (priority < 1) {
        throw new IllegalArgumentException("%s has priority %d".formatted(name, priority));
      }
      if (live < 0 || cached < 0 || wanted < 0 || guarantee < 0 || live + cached > held) {
        throw new IllegalArgumentException(
            "%s holds %d chunks, %d live, %d cached; wants %d, is guaranteed %d"
                .formatted(name, held, live, cached, wanted, guarantee));
      }
    }

    /// What it could give up and not miss.
    public int unused() {
      return held - live - cached;
    }

    long demand() {
      return (long) live + wanted;
    }
  }

  /// What was decided.
  public sealed interface Outcome {
    /// The chunks come: `free` ones, and `taken` from each of the others, in their order.
    record Granted(int free, List<Integer> taken) implements Outcome {
      public Granted {
        taken = List.copyOf(taken);
      }
    }

    /// Nothing changes.
    record Refused(int missing, String reason) implements Outcome {}
  }

  /// Finds `needed` chunks for `asker`, all or none.
  ///
  /// @param asker its `wanted` covers `needed`
  /// @param others everyone else who holds chunks
  /// @param free chunks that nobody holds
  /// @param headroom how far another must be over its entitlement before its live chunks are taken
  ///   for more than the asker's guarantee: small shifts of demand then preempt nobody
  public static Outcome decide(
      int needed, Member asker, List<Member> others, int free, int headroom) {
    int fromFree = Math.min(needed, free);
    int missing = needed - fromFree;
    int[] taken = new int[others.size()];
    missing -= take(others, taken, missing, Member::unused);
    missing -= take(others, taken, missing, Member::cached);
    if (missing > 0) {
      long[] entitled = entitlements(asker, others, free);
      boolean guaranteed = asker.live + needed <= asker.guarantee;
      if (!guaranteed && asker.live + needed > entitled[others.size()]) {
        return new Outcome.Refused(
            missing,
            String.format(
                Locale.ROOT,
                "%,d chunks are missing; with %,d in use %s is entitled to %,d",
                missing,
                asker.live,
                asker.name,
                entitled[others.size()]));
      }
      int slack = guaranteed ? 0 : headroom;
      int[] surplus = new int[others.size()];
      for (int i = 0; i < surplus.length; i++) {
        boolean above = !guaranteed && others.get(i).priority > asker.priority;
        long over = above ? 0 : others.get(i).live - entitled[i];
        surplus[i] = over > slack ? Math.toIntExact(over) : 0;
      }
      missing -= takeMost(surplus, taken, missing);
    }
    if (missing > 0) {
      return new Outcome.Refused(
          missing,
          "%d chunks are missing; nobody of its priority has more than its share"
              .formatted(missing));
    }
    List<Integer> all = new ArrayList<>();
    for (int count : taken) {
      all.add(count);
    }
    return new Outcome.Granted(fromFree, all);
  }

  /// Takes up to `missing` of what each can spare, from those with the most first.
  private static int take(
      List<Member> others, int[] taken, int missing, ToIntFunction<Member> spare) {
    return takeMost(others.stream().mapToInt(spare).toArray(), taken, missing);
  }

  private static int takeMost(int[] spare, int[] taken, int missing) {
    List<Integer> order = new ArrayList<>();
    for (int i = 0; i < spare.length; i++) {
      order.add(i);
    }
    order.sort(Comparator.comparingInt((Integer i) -> spare[i]).reversed());
    int sum = 0;
    for (int i : order) {
      int count = Math.min(spare[i], missing - sum);
      taken[i] += count;
      sum += count;
    }
    return sum;
  }

  /// Max-min fair parts of all chunks: guarantees first, then parts of what is left by priority,
  /// nobody more than its demand. The asker's is the last.
  static long[] entitlements(Member asker, List<Member> others, int free) {
    List<Member> all = new ArrayList<>(others);
    all.add(asker);
    long[] entitled = new long[all.size()];
    long left = free;
    for (int i = 0; i < entitled.length; i++) {
      entitled[i] = Math.min(all.get(i).demand(), all.get(i).guarantee);
      left += all.get(i).held - entitled[i];
    }
    while (left > 0) {
      List<Integer> hungry = new ArrayList<>();
      for (int i = 0; i < entitled.length; i++) {
        if (entitled[i] < all.get(i).demand()) {
          hungry.add(i);
        }
      }
      if (hungry.isEmpty()) {
        break;
      }
      long weights = hungry.stream().mapToLong(i -> all.get(i).priority).sum();
      long toDivide = left;
      for (int i : hungry) {
        long part = Math.max(1, toDivide * all.get(i).priority / weights);
        long more = Math.min(Math.min(part, left), all.get(i).demand() - entitled[i]);
        entitled[i] += more;
        left -= more;
      }
    }
    return entitled;
  }
}
