package dev.weft.runtime.memory;

import dev.weft.autoscaler.memory.ChunkShares;
import dev.weft.runtime.memory.MemoryLedger.Reservation;
import org.jspecify.annotations.Nullable;

/// The KV memory of one instance as a part of its device's: what its planner asks for blocks, and
/// what the [Balloon] takes chunks from. Made by [Balloon#open].
public final class KvShare implements BlockSupply, Share, AutoCloseable {
  private final Balloon balloon;
  private final VirtualTensor kv;
  private final BlockTiling tiling;
  private final Reservation reservation;
  private final long fixedBytes;
  private final int guaranteeChunks;
  private @Nullable Tenant tenant;
  private boolean lacks;

  KvShare(
      Balloon balloon,
      VirtualTensor kv,
      BlockTiling tiling,
      int guaranteeChunks,
      Reservation reservation) {
    this.balloon = balloon;
    this.kv = kv;
    this.tiling = tiling;
    this.guaranteeChunks = guaranteeChunks;
    this.reservation = reservation;
    this.fixedBytes = reservation.plannedBytes();
  }

  @Override
  public String owner() {
    return kv.owner();
  }

  /// Where the blocks lie; whoever compiles the decoder closes it.
  public VirtualTensor kv() {
    return kv;
  }

  /// Blocks that there are addresses for.
  public int addressableBlocks() {
    return tiling.blocksIn(kv.reservedChunks());
  }

  /// Blocks that were granted; those beyond [#blocks] can be written to when they are
  /// [ready][#ready].
  public int grantedBlocks() {
    return tiling.blocksIn(granted());
  }

  /// Blocks that may be written to now.
  public int blocks() {
    return tiling.blocksIn(kv.mappedChunks());
  }

  public int guaranteeChunks() {
    return guaranteeChunks;
  }

  /// Names who uses the blocks. Called once, on the device's thread, before the first [#grow].
  public void attach(Tenant newTenant) {
    tenant = newTenant;
  }

  @Override
  public int grow(int blocks) {
    return balloon.grow(this, blocks);
  }

  @Override
  public boolean ready(int blocks) {
    if (blocks > blocks() && !balloon.ready(this, blocks)) {
      lacks = true;
      return false;
    }
    return true;
  }

  /// Has the first `blocks` of the granted blocks ready before they are taken, beside a step: as
  /// many of them as can be without waiting for it, and no more at once than a bounded number of
  /// bytes or `atOnce`, whichever is more.
  public void readyAhead(int blocks, int atOnce) {
    if (blocks > blocks()) {
      balloon.readyAhead(this, blocks, atOnce);
    }
  }

  /// Gives up, between steps, what was granted and could not be made ready.
  public void makeDo() {
    if (lacks) {
      lacks = false;
      balloon.makeDo(this);
    }
  }

  /// Maps more blocks out of chunks that nobody holds, at most `blocks`, and no more at once than a
  /// bounded number of bytes or `soon`, whichever is more; returns how many came. For those that
  /// the next steps will need.
  public int growAhead(int blocks, int soon) {
    return balloon.growAhead(this, blocks, soon);
  }

  /// Gives the system back what holds neither sequences nor cached prefixes.
  public void trim() {
    balloon.trim(this);
  }

  @Override
  public int reachable() {
    // Chunks on their way from one to another are counted twice or not at all for a moment; what is
    // guaranteed is never in doubt.
    return tiling.blocksIn(Math.max(guaranteeChunks, balloon.reachableChunks(this)));
  }

  @Override
  public VirtualTensor tensor() {
    return kv;
  }

  @Override
  public Reservation reservation() {
    return reservation;
  }

  @Override
  public long fixedBytes() {
    return fixedBytes;
  }

  BlockTiling tiling() {
    return tiling;
  }

  @Override
  public ChunkShares.Member member(int needed) {
    Tenant.Demand demand = tenant == null ? Tenant.Demand.NONE : tenant.demand();
    int held = granted();
    int live = Math.min(held, tiling.chunksFor(demand.planned()));
    int kept = Math.min(held, tiling.chunksFor(demand.planned() + demand.cached()));
    int wanted = Math.max(needed, tiling.chunksFor(demand.planned() + demand.wanted()) - live);
    int priority = tenant == null ? 1 : tenant.priority();
    return new ChunkShares.Member(
        owner(), held, live, kept - live, wanted, guaranteeChunks, priority);
  }

  @Override
  public int vacate(int chunks) {
    return tenant == null ? 0 : tenant.shrinkTo(tiling.blocksIn(chunks));
  }

  /// Takes part no longer. The tensor goes with its executable, the bytes with the reservation.
  @Override
  public void close() {
    tenant = null;
    balloon.remove(this);
  }
}
