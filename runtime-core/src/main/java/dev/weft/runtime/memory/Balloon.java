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
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Moves chunks between the KV memories of one device's instances, and the memory in which their
/// steps compute, while they run.
///
/// ```
///   inflate(A, n):  free chunks, then B's unused, then B's cached, then by fairness B's live ones
///                   B's tenant makes do with less | chunks leave the end of B's tensor
///                                                 | and are mapped at the end of A's
/// ```
///
/// A turn of an instance first gets the memory to compute in, which it is guaranteed, and then asks
/// for KV memory; nobody waits while it holds a part of what it needs, so nobody waits for ever.
/// All chunks that are asked for come, or none. A chunk that an instance no longer uses stays
/// mapped until somebody needs it, so that the common case maps nothing. Every move is in the
/// ledger: shrinkage is planned at once and completed when the chunk is unmapped, growth is planned
/// before it is mapped.
///
/// Since all instances of a device run on one thread, nothing here waits for anybody but for the
/// end of a load that failed. What is not said to be for any thread is for the device's, between
/// steps.
public final class Balloon {
  /// Owns what steps compute in; no instance has this name.
  public static final String ACTIVATIONS = "activations";

  /// Mapped ahead of need at once, where the next steps do not take more.
  private static final long AHEAD_BYTES = 48L << 20;

  /// Of all chunks: how far an instance must be over its share to lose live ones to another's
  /// growth.
  private static final int HEADROOM_PART = 64;

  private static final Logger log = LoggerFactory.getLogger(Balloon.class);

  private final ChunkPool pool;
  private final MemoryLedger ledger;
  private final Observer observer;
  private final List<KvShare> shares = new CopyOnWriteArrayList<>();
  private volatile @Nullable Activations activations;

  /// Hears what the balloon does, on the thread that does it.
  public interface Observer {
    Observer NONE = new Observer() {};

    /// An instance got chunks, for which its next step had to wait, or steps to compute in.
    ///
    /// @param owner an instance's, or [#ACTIVATIONS]
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

  synchronized void remove(KvShare share) {
    shares.remove(share);
  }

  /// Opens the memory in which all executables of this device compute for another one. Any thread.
  ///
  /// @param mostBytes what the largest step takes; admission sees to it that the most of all
  ///   executables fits beside all guarantees
  public synchronized Scratch openScratch(long mostBytes) {
    Activations steps = activations;
    if (steps == null) {
      steps = new Activations(this, pool, ledger);
      activations = steps;
    }
    return steps.open(mostBytes);
  }

  /// Gets the memory for a step, if need be from others, or throws.
  synchronized void acquire(Activations of, int chunks) {
    of.begin(chunks);
    int missing = chunks - of.tensor().mappedChunks();
    if (missing > 0 && !tryInflate(of, missing)) {
      throw new IllegalStateException(
          "%d chunks to compute in are not to be had".formatted(missing));
    }
  }

  /// Closes one executable's way to the memory. What no step of the others can need is given back.
  synchronized void close(Activations of, Scratch lease) {
    boolean last = of.close(lease);
    of.forgetSteps();
    deflate(of, Math.max(0, of.tensor().mappedChunks() - of.guaranteeChunks()));
    if (last && of == activations) {
      of.close();
      activations = null;
    }
  }

  /// Chunks that an instance could have, were all others idle. Any thread.
  int reachableChunks(KvShare share) {
    long otherBytes = ledger.snapshot().plannedBytes();
    for (KvShare each : shares) {
      otherBytes -= each.tensor().mappedBytes();
    }
    Activations steps = activations;
    if (steps != null) {
      otherBytes += steps.guaranteeChunks() * pool.chunkBytes() - steps.tensor().mappedBytes();
    }
    long reachable = Math.max(0, ledger.capacityBytes() - otherBytes) / pool.chunkBytes();
    return (int) Math.min(share.tensor().reservedChunks(), reachable);
  }

  /// Returns how many blocks came: at least as many as were asked for, or none.
  synchronized int grow(KvShare share, int blocks) {
    int before = share.blocks();
    int needed = share.tiling().chunksFor(before + blocks) - share.tensor().mappedChunks();
    return tryInflate(share, needed) ? share.blocks() - before : 0;
  }

  /// Gets so many chunks, or none.
  private boolean tryInflate(Share share, int needed) {
    long start = System.nanoTime();
    if (share.tensor().mappedChunks() + needed <= share.tensor().reservedChunks()) {
      List<Share> others = others(share);
      if (ChunkShares.decide(
                  needed, share.member(needed), members(others), freeChunks(), headroom())
              instanceof Outcome.Granted(int free, List<Integer> taken)
          && inflate(share, free, others, taken)) {
        observer.onInflated(
            share.owner(), needed, needed - free, Duration.ofNanos(System.nanoTime() - start));
        return true;
      }
    }
    observer.onRefused(share.owner(), needed);
    return false;
  }

  synchronized int growAhead(KvShare share, int blocks, int soon) {
    int before = share.blocks();
    int held = share.tensor().mappedChunks();
    long atOnce = Math.max(AHEAD_BYTES / pool.chunkBytes(), share.tiling().chunksFor(soon));
    long bound = Math.min(freeChunks(), Math.max(1, atOnce));
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
  public synchronized MemoryLedger.Outcome reserve(String owner, long bytes) {
    long missing = bytes - ledger.snapshot().availableBytes();
    if (missing > 0) {
      int needed = Math.toIntExact(Math.ceilDiv(missing, pool.chunkBytes()));
      var newcomer = new Member(owner, 0, 0, 0, needed, needed);
      List<Share> all = all();
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

  private void deflate(Share from, int chunks) {
    if (chunks > 0) {
      int left = from.tensor().mappedChunks() - chunks;
      vacate(from, left);
      from.tensor().shrink(left);
      from.complete();
      observer.onDeflated(from.owner(), chunks);
    }
  }

  /// Unmaps what an instance neither uses nor caches, and what steps compute in: the device is
  /// idle.
  synchronized void trim(KvShare share) {
    deflate(share, share.member(0).unused());
    Activations steps = activations;
    if (steps != null) {
      steps.forgetSteps();
      deflate(steps, steps.tensor().mappedChunks());
    }
  }

  /// Empties what lies beyond `left` chunks, and lowers the plan: the chunks are still mapped.
  private void vacate(Share share, int left) {
    int moved = share.vacate(left);
    if (moved > 0) {
      observer.onMoved(share.owner(), moved);
    }
    share.tryPlan(left);
  }

  private List<Share> all() {
    List<Share> all = new ArrayList<>(shares);
    Activations steps = activations;
    if (steps != null) {
      all.add(steps);
    }
    return all;
  }

  private List<Share> others(Share share) {
    List<Share> others = all();
    others.remove(share);
    return others;
  }

  private static List<Member> members(List<Share> shares) {
    return shares.stream().map(share -> share.member(0)).toList();
  }

  private int freeChunks() {
    long available = ledger.snapshot().availableBytes() / pool.chunkBytes();
    return (int) Math.min(available, pool.freeCount());
  }

  private int headroom() {
    return pool.chunkCount() / HEADROOM_PART;
  }

  private boolean inflate(Share share, int free, List<Share> others, List<Integer> taken) {
    int target = share.tensor().mappedChunks() + free;
    for (int i = 0; i < others.size(); i++) {
      int count = taken.get(i);
      if (count > 0) {
        Share other = others.get(i);
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
          .log("memory could not be mapped");
      return false;
    } finally {
      share.tryPlan(share.tensor().mappedChunks());
      share.complete();
    }
  }

  /// Takes chunks out of one tensor and, unless a load was faster to their bytes, into another.
  private void move(Share from, Share to, int chunks, boolean planned) {
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
