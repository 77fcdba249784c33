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
///                   B's tenant makes do with less: granted to A, still mapped at the end of B's
///   bring(A, m):    m of them leave the end of B's tensor and are mapped at the end of A's
///
///   A   | mapped          | granted: mapped before a step takes it, beside the steps before |
///   B   | mapped, granted                        | mapped, vacated: to go |
/// ```
///
/// A turn of an instance first gets the memory to compute in, which it is guaranteed, and then asks
/// for KV memory; nobody waits while it holds a part of what it needs, so nobody waits for ever.
/// All chunks that are asked for are granted, or none. Of many, few are mapped at once: a long
/// prompt takes them step by step, and the next step's come beside the one that runs. A chunk that
/// an instance no longer uses stays mapped until somebody needs it, so that the common case maps
/// nothing. The ledger counts what is granted; never more is mapped in all.
///
/// Since all instances of a device run on one thread, nothing here waits for anybody but for the
/// end of a load that failed. What is not said to be for any thread is for the device's, between
/// steps.
public final class Balloon {
  /// Owns what steps compute in; no instance has this name.
  public static final String ACTIVATIONS = "activations";

  /// Mapped at once, where the next steps do not take more.
  private static final long AHEAD_BYTES = 48L << 20;

  /// Of all chunks: how far an instance must be over its share to lose live ones to another's
  /// growth.
  private static final int HEADROOM_PART = 64;

  private static final Logger log = LoggerFactory.getLogger(Balloon.class);

  private final ChunkPool pool;
  private final MemoryLedger ledger;
  private final Observer observer;
  private final long aheadBytes;
  private final List<KvShare> shares = new CopyOnWriteArrayList<>();
  private volatile @Nullable Activations activations;

  /// Hears what the balloon does, on the thread that does it.
  public interface Observer {
    Observer NONE = new Observer() {};

    /// An instance got chunks, or steps to compute in.
    ///
    /// @param owner an instance's, or [#ACTIVATIONS]
    /// @param taken of these, what others held
    /// @param stall how long its next step had to wait for that
    default void onInflated(String owner, int chunks, int taken, Duration stall) {}

    /// A step had to wait until chunks were mapped that its instance had got before.
    default void onAwaited(String owner, Duration stall) {}

    /// An instance gave up chunks.
    default void onDeflated(String owner, int chunks) {}

    /// Blocks of an instance were moved so that it could give up chunks.
    default void onMoved(String owner, int blocks) {}

    /// An instance did not get the chunks that it asked for.
    default void onRefused(String owner, int chunks) {}
  }

  public Balloon(ChunkPool pool, MemoryLedger ledger, Observer observer) {
    this(pool, ledger, observer, AHEAD_BYTES);
  }

  /// @param aheadBytes that are mapped at once where the next steps do not take more
  Balloon(ChunkPool pool, MemoryLedger ledger, Observer observer, long aheadBytes) {
    this.pool = pool;
    this.ledger = ledger;
    this.observer = observer;
    this.aheadBytes = aheadBytes;
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
    if (shares.remove(share)) {
      // Others are owed its vacated chunks, or have vacated theirs for it.
      if (share.tensor().mappedChunks() > share.granted()) {
        share.tensor().shrink(share.granted());
      }
      unmapSurplus();
    }
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
    int missing = chunks - of.granted();
    if (missing > 0 && !tryInflate(of, missing, missing)) {
      throw new IllegalStateException(
          "%d chunks to compute in are not to be had".formatted(missing));
    }
  }

  /// Closes one executable's way to the memory. What no step of the others can need is given back.
  synchronized void close(Activations of, Scratch lease) {
    boolean last = of.close(lease);
    of.forgetSteps();
    deflate(of, Math.max(0, of.granted() - of.guaranteeChunks()));
    if (last && of == activations) {
      of.close();
      activations = null;
    }
  }

  /// Chunks that an instance could have, were all others idle. Any thread.
  int reachableChunks(KvShare share) {
    long otherBytes = ledger.snapshot().plannedBytes();
    for (KvShare each : shares) {
      otherBytes -= each.granted() * pool.chunkBytes();
    }
    Activations steps = activations;
    if (steps != null) {
      otherBytes += (steps.guaranteeChunks() - steps.granted()) * pool.chunkBytes();
    }
    long reachable = Math.max(0, ledger.capacityBytes() - otherBytes) / pool.chunkBytes();
    return (int) Math.min(share.tensor().reservedChunks(), reachable);
  }

  /// Returns how many blocks came: at least as many as were asked for, or none.
  synchronized int grow(KvShare share, int blocks) {
    int before = share.grantedBlocks();
    int needed = share.tiling().chunksFor(before + blocks) - share.granted();
    return tryInflate(share, needed, aheadChunks()) ? share.grantedBlocks() - before : 0;
  }

  /// Gets so many chunks, or none.
  ///
  /// @param atOnce of them, that are mapped now
  private boolean tryInflate(Share share, int needed, int atOnce) {
    long start = System.nanoTime();
    if (share.granted() + needed <= share.tensor().reservedChunks()) {
      List<Share> others = others(share);
      if (ChunkShares.decide(
                  needed, share.member(needed), members(others), freeChunks(), headroom())
              instanceof Outcome.Granted(int free, List<Integer> taken)
          && inflate(share, free, others, taken, atOnce)) {
        observer.onInflated(
            share.owner(), needed, needed - free, Duration.ofNanos(System.nanoTime() - start));
        return true;
      }
    }
    observer.onRefused(share.owner(), needed);
    return false;
  }

  synchronized int growAhead(KvShare share, int blocks, int soon) {
    int before = share.grantedBlocks();
    int held = share.granted();
    int bound = Math.min(freeChunks(), atOnce(share, soon));
    int more =
        Math.min(
            Math.min(bound, share.tensor().reservedChunks() - held),
            share.tiling().chunksFor(before + blocks) - held);
    if (more <= 0 || !inflate(share, more, List.of(), List.of(), more)) {
      return 0;
    }
    return share.grantedBlocks() - before;
  }

  private int aheadChunks() {
    return (int) Math.max(1, aheadBytes / pool.chunkBytes());
  }

  private int atOnce(KvShare share, int blocks) {
    return Math.max(aheadChunks(), share.tiling().chunksFor(blocks));
  }

  /// Maps, for a step that is not submitted yet, what of the first `blocks` is not; false where
  /// that fails.
  synchronized boolean ready(KvShare share, int blocks) {
    long start = System.nanoTime();
    try {
      if (!bring(share, share.tiling().chunksFor(blocks), true)) {
        throw new IllegalStateException(
            "%s was granted %d chunks, and has no %d blocks"
                .formatted(share.owner(), share.granted(), blocks));
      }
      observer.onAwaited(share.owner(), Duration.ofNanos(System.nanoTime() - start));
      return true;
    } catch (NativeException e) {
      warn(share, e);
      return false;
    }
  }

  synchronized void readyAhead(KvShare share, int blocks, int atOnce) {
    int most = share.tensor().mappedChunks() + atOnce(share, atOnce);
    try {
      bring(share, Math.min(share.tiling().chunksFor(blocks), most), false);
    } catch (NativeException e) {
      // The step that needs it asks again, and says so.
      log.atDebug().setCause(e).log("memory could not be mapped ahead");
    }
  }

  /// Takes back what was granted and is not mapped.
  synchronized void makeDo(KvShare share) {
    deflate(share, share.granted() - share.tensor().mappedChunks());
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
      vacate(from, from.granted() - chunks);
      unmapSurplus();
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
      deflate(steps, steps.granted());
    }
  }

  /// Empties what lies beyond `left` chunks, and lowers the plan: the chunks are still mapped.
  private void vacate(Share share, int left) {
    int moved = share.vacate(left);
    if (moved > 0) {
      observer.onMoved(share.owner(), moved);
    }
    share.tensor().vacate(left);
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

  /// Chunks that may be granted: those that are free, and not granted to somebody already.
  private int freeChunks() {
    long available = ledger.snapshot().availableBytes() / pool.chunkBytes();
    return (int) Math.max(0, Math.min(available, pool.freeCount() - owed()));
  }

  /// Free chunks that were granted and are not mapped yet; beside them come those that others have
  /// vacated.
  private int owed() {
    return all().stream().mapToInt(share -> share.granted() - share.tensor().mappedChunks()).sum();
  }

  private int headroom() {
    return pool.chunkCount() / HEADROOM_PART;
  }

  private boolean inflate(
      Share share, int free, List<Share> others, List<Integer> taken, int atOnce) {
    int before = share.granted();
    int target = before + free;
    for (int i = 0; i < others.size(); i++) {
      if (taken.get(i) > 0) {
        vacate(others.get(i), others.get(i).granted() - taken.get(i));
        target += taken.get(i);
      }
    }
    int mapped = share.tensor().mappedChunks();
    boolean came = false;
    try {
      // It is refused when a load was faster to the bytes.
      came =
          share.tryPlan(target) && bring(share, mapped + Math.min(target - mapped, atOnce), true);
    } catch (NativeException e) {
      warn(share, e);
    } finally {
      if (!came) {
        giveBack(share, before);
      }
      for (int i = 0; i < others.size(); i++) {
        if (taken.get(i) > 0) {
          others.get(i).complete();
          observer.onDeflated(others.get(i).owner(), taken.get(i));
        }
      }
      share.complete();
    }
    return came;
  }

  /// Undoes a grant.
  private void giveBack(Share share, int granted) {
    share.tryPlan(granted);
    share.tensor().vacate(granted);
    try {
      unmapSurplus();
    } catch (NativeException e) {
      warn(share, e);
    }
  }

  /// The address space is full of mappings, or the machine of memory: a refusal like any other for
  /// those who wait, and something to be seen to.
  private static void warn(Share share, NativeException e) {
    log.atWarn()
        .addKeyValue("owner", share.owner())
        .addKeyValue("chunks", share.granted())
        .addKeyValue("reason", e.getMessage())
        .log("memory could not be mapped");
  }

  /// Maps granted chunks until there are `target`: free ones, and those that others have vacated.
  /// Returns whether there are so many.
  ///
  /// @param wait for what still uses vacated ones; else these are left where they are
  private boolean bring(Share share, int target, boolean wait) {
    VirtualTensor to = share.tensor();
    int end = Math.min(target, share.granted());
    int free = Math.min(end - to.mappedChunks(), owed());
    if (wait && free > pool.freeCount()) {
      pool.awaitRetired();
    }
    to.tryGrow(to.mappedChunks() + Math.max(0, Math.min(free, pool.freeCount())));
    for (Share other : others(share)) {
      VirtualTensor from = other.tensor();
      int surplus = from.mappedChunks() - other.granted();
      int left = from.mappedChunks() - Math.min(surplus, end - to.mappedChunks());
      if (left < from.mappedChunks() && (wait || from.vacantBeyond(left))) {
        from.shrinkInto(to, left);
      }
    }
    return to.mappedChunks() >= target;
  }

  /// Unmaps vacated chunks that nobody was granted: so never more are mapped than are granted.
  private void unmapSurplus() {
    int excess = -owed();
    for (Share share : all()) {
      VirtualTensor tensor = share.tensor();
      int count = Math.min(excess, tensor.mappedChunks() - share.granted());
      if (count > 0) {
        excess -= tensor.shrink(tensor.mappedChunks() - count);
      }
    }
  }
}
