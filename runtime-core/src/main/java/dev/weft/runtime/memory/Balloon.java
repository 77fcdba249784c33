package dev.weft.runtime.memory;

import dev.weft.autoscaler.memory.ChunkShares;
import dev.weft.autoscaler.memory.ChunkShares.Member;
import dev.weft.autoscaler.memory.ChunkShares.Outcome;
import dev.weft.runtime.foreign.NativeException;
import dev.weft.runtime.memory.MemoryLedger.Reservation;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Moves chunks between the KV memories of one device's instances while they run.
///
/// ```
///   inflate(A, n):  free chunks, then B's unused, then B's cached, then by fairness B's live ones
///                   B's tenant makes do with less | chunks leave the end of B's tensor
///                                                 | and are mapped at the end of A's
/// ```
///
/// All chunks that are asked for come, or none. A chunk that an instance no longer uses stays
/// mapped until somebody needs it, so that the common case maps nothing. Every move is in the
/// ledger: shrinkage is planned at once and completed when the chunk is unmapped, growth is planned
/// before it is mapped.
///
/// Since all instances of a device run on one thread, nothing here waits for anybody. What is not
/// said to be for any thread is for the device's, between steps.
public final class Balloon {
  /// Mapped ahead of need at most.
  private static final long AHEAD_BYTES = 48L << 20;

  /// Of all chunks: how far an instance must be over its share to lose live ones to another's
  /// growth.
  private static final int HEADROOM_PART = 64;

  private static final Logger log = LoggerFactory.getLogger(Balloon.class);

  private final ChunkPool pool;
  private final MemoryLedger ledger;
  private final Observer observer;
  private final List<KvShare> shares = new CopyOnWriteArrayList<>();

  /// Hears what the balloon does, on the thread that does it.
  public interface Observer {
    Observer NONE = new Observer() {};

    /// An instance got chunks, for which its next step had to wait.
    ///
    /// @param taken of these, what others held
    default void onInflated(String owner, int chunks, int taken, Duration stall) {}

    /// An instance gave up chunks.
    default void onDeflated(String owner, int chunks) {}

    /// Blocks of an instance were moved so that it could give up chunks.
    default void onMoved(String owner, int blocks) {}

    /// An instance did not get the chunks that it asked for.
    default void onRefused(String owner, int chunks) {}
  }

  public Balloon(ChunkPool pool, MemoryLedger ledger, Observer observer) {
    this.pool = pool;
    this.ledger = ledger;
    this.observer = observer;
  }

  public ChunkPool pool() {
    return pool;
  }

  /// Adds an instance with nothing mapped yet. Any thread.
  ///
  /// @param guaranteeChunks what it can have back at any time; admission sees to it that all
  ///   guarantees fit
  /// @param reservation of the instance's other bytes; its KV is added to it from now on
  public KvShare open(String owner, long blockBytes, int guaranteeChunks, Reservation reservation) {
    long otherBytes = reservation.plannedBytes();
    int addresses = Math.toIntExact((ledger.capacityBytes() - otherBytes) / pool.chunkBytes());
    var kv = pool.reserve(owner, VirtualTensor.Kind.KV, Math.min(pool.chunkCount(), addresses));
    var tiling = new BlockTiling(blockBytes, pool.chunkBytes());
    var share = new KvShare(this, kv, tiling, guaranteeChunks, reservation);
    shares.add(share);
    return share;
  }

  void remove(KvShare share) {
    shares.remove(share);
  }

  /// Chunks that an instance could have, were all others idle. Any thread.
  int reachableChunks(KvShare share) {
    long otherBytes = ledger.snapshot().plannedBytes();
    for (KvShare each : shares) {
      otherBytes -= each.tensor().mappedBytes();
    }
    long reachable = Math.max(0, ledger.capacityBytes() - otherBytes) / pool.chunkBytes();
    return (int) Math.min(share.tensor().reservedChunks(), reachable);
  }

  /// Returns how many blocks came: at least as many as were asked for, or none.
  int grow(KvShare share, int blocks) {
    long start = System.nanoTime();
    int before = share.blocks();
    int held = share.tensor().mappedChunks();
    int needed = share.tiling().chunksFor(before + blocks) - held;
    if (held + needed > share.tensor().reservedChunks()) {
      observer.onRefused(share.owner(), needed);
      return 0;
    }
    List<KvShare> others = others(share);
    return switch (ChunkShares.decide(
        needed, share.member(needed), members(others), freeChunks(), headroom())) {
      case Outcome.Granted(int free, List<Integer> taken) -> {
        if (!inflate(share, free, others, taken)) {
          observer.onRefused(share.owner(), needed);
          yield 0;
        }
        observer.onInflated(
            share.owner(), needed, needed - free, Duration.ofNanos(System.nanoTime() - start));
        yield share.blocks() - before;
      }
      case Outcome.Refused _ -> {
        observer.onRefused(share.owner(), needed);
        yield 0;
      }
    };
  }

  int growAhead(KvShare share, int blocks) {
    int before = share.blocks();
    int held = share.tensor().mappedChunks();
    long bound = Math.min(freeChunks(), Math.max(1, AHEAD_BYTES / pool.chunkBytes()));
    int more =
        (int)
            Math.min(
                Math.min(bound, share.tensor().reservedChunks() - held),
                share.tiling().chunksFor(before + blocks) - held);
    if (more <= 0 || !inflate(share, more, List.of(), List.of())) {
      return 0;
    }
    return share.blocks() - before;
  }

  /// Reserves bytes for something else, of a new instance, say, for which instances give up KV
  /// memory. When admission has seen to it that the bytes fit beside all guarantees, they do.
  public MemoryLedger.Outcome reserve(String owner, long bytes) {
    long missing = bytes - ledger.snapshot().availableBytes();
    if (missing > 0) {
      int needed = Math.toIntExact(Math.ceilDiv(missing, pool.chunkBytes()));
      var newcomer = new Member(owner, 0, 0, 0, needed, needed);
      List<KvShare> all = List.copyOf(shares);
      // The free bytes are counted in `missing` already.
      if (ChunkShares.decide(needed, newcomer, members(all), 0, 0)
          instanceof Outcome.Granted(_, List<Integer> taken)) {
        for (int i = 0; i < all.size(); i++) {
          deflate(all.get(i), taken.get(i));
        }
      }
    }
    return ledger.reserve(owner, bytes);
  }

  private void deflate(KvShare from, int chunks) {
    if (chunks > 0) {
      int left = from.tensor().mappedChunks() - chunks;
      vacate(from, left);
      from.tensor().shrink(left);
      from.complete();
      observer.onDeflated(from.owner(), chunks);
    }
  }

  /// Unmaps what an instance neither uses nor caches.
  void trim(KvShare share) {
    deflate(share, share.member(0).unused());
  }

  /// Empties what lies beyond `left` chunks, and lowers the plan: the chunks are still mapped.
  private void vacate(KvShare share, int left) {
    int moved = share.vacate(left);
    if (moved > 0) {
      observer.onMoved(share.owner(), moved);
    }
    share.tryPlan(left);
  }

  private List<KvShare> others(KvShare share) {
    List<KvShare> others = new ArrayList<>(shares);
    others.remove(share);
    return others;
  }

  private static List<Member> members(List<KvShare> shares) {
    return shares.stream().map(share -> share.member(0)).toList();
  }

  private int freeChunks() {
    long available = ledger.snapshot().availableBytes() / pool.chunkBytes();
    return (int) Math.min(available, pool.freeCount());
  }

  private int headroom() {
    return pool.chunkCount() / HEADROOM_PART;
  }

  private boolean inflate(KvShare share, int free, List<KvShare> others, List<Integer> taken) {
    int target = share.tensor().mappedChunks() + free;
    for (int i = 0; i < others.size(); i++) {
      int count = taken.get(i);
      if (count > 0) {
        KvShare other = others.get(i);
        int left = other.tensor().mappedChunks() - count;
        vacate(other, left);
        target += count;
      }
    }
    boolean planned = share.tryPlan(target);
    try {
      for (int i = 0; i < others.size(); i++) {
        if (taken.get(i) > 0) {
          move(others.get(i), share, taken.get(i), planned);
        }
      }
      return planned && share.tensor().tryGrow(target);
    } catch (NativeException e) {
      // The address space is full of mappings, or the machine of memory: a refusal like any other
      // for those who wait, and something to be seen to.
      log.atWarn()
          .addKeyValue("owner", share.owner())
          .addKeyValue("chunks", target)
          .addKeyValue("reason", e.getMessage())
          .log("KV memory could not be mapped");
      return false;
    } finally {
      share.tryPlan(share.tensor().mappedChunks());
      share.complete();
    }
  }

  /// Takes chunks out of one tensor and, unless a load was faster to their bytes, into another.
  private void move(KvShare from, KvShare to, int chunks, boolean planned) {
    int left = from.tensor().mappedChunks() - chunks;
    try {
      if (planned) {
        from.tensor().shrinkInto(to.tensor(), left);
      } else {
        from.tensor().shrink(left);
      }
    } finally {
      from.complete();
      observer.onDeflated(from.owner(), chunks);
    }
  }
}
