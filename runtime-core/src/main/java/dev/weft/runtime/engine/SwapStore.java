package dev.weft.runtime.engine;

import dev.weft.autoscaler.memory.SloBuffer;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.HostBlocks;
import dev.weft.runtime.engine.EngineObserver.SwapPlace;
import dev.weft.runtime.engine.EngineObserver.SwapRefusal;
import dev.weft.runtime.engine.SwapTransfers.Transfer;
import dev.weft.runtime.memory.BlockStore;
import dev.weft.runtime.memory.SwapFile;
import dev.weft.runtime.memory.SwapSpace;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Contents of a decoder's KV blocks in the host's memory, where its device copies by itself
/// ([HostBlocks]), and behind that in a file, while their blocks serve others.
///
/// ```
///   device             block --copy--> place ... place --copy--> block
///
///   device's thread    block --copy--> buffer                       buffer --copy--> block
///   swap's thread                      buffer --write--> slot ... slot --read--> buffer
/// ```
///
/// The device's thread copies to buffers only: a block is free for others when its copy is made,
/// and comes back when somebody has read it. When all buffers wait for the disk, nothing more is
/// saved; what is done ahead of need leaves half of them to what is needed.
///
/// A block goes to the file only when bringing it back costs less than computing it again would.
/// Copies by the device take nothing from anybody, and are not weighed. What is saved in all
/// follows what callers were promised ([SloBuffer]). What is refused or fails is counted and
/// computed again.
final class SwapStore implements BlockStore, AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(SwapStore.class);

  /// Bytes a second that a file is taken to give before that is measured.
  private static final double GUESSED_BYTES_PER_SECOND = 500e6;

  private static final double WEIGHT = 0.2;

  /// What takes longer than so many times the usual counts as so much: a disk that stalls once is
  /// not slow, and one that is slow soon counts as that.
  private static final double STALL = 4;

  /// Of the blocks that cost more to bring back than to compute, one of so many is saved all the
  /// same: nothing else would tell when the disk is fast again.
  private static final int PROBE = 64;

  private static final Duration WARNED_EVERY = Duration.ofMinutes(1);

  /// The lowest bit of what saved contents are called says where they lie.
  private static final int IN_HOST = 1;

  private static final int IN_FILE = 0;

  /// About what a copy of a few blocks takes.
  private static final long COPY_NANOS = 50_000;

  /// The smallest part of the space that broken promises leave.
  private static final int LEAST_PART = 64;

  /// Copied by the device ahead of need at a time, but one block where that is larger.
  private static final long AHEAD_BYTES = 32L << 20;

  private final DecoderExecutable executable;
  private final HostBlocks host;
  private final SwapFile file;
  private final SwapTransfers transfers;
  private final RecomputeCost recompute;
  private final Listener listener;
  private final LongSupplier clock;
  private final long blockBytes;

  /// Slots that could not be written.
  private final Set<Integer> broken = new HashSet<>();

  private SloBuffer size;

  /// Places that are taken.
  private int kept;

  private double moveNanos;
  private int dear;
  private long warnedAt;
  private boolean warned;

  /// What computing a block again is expected to cost.
  @FunctionalInterface
  interface RecomputeCost {
    double nanos(int firstToken, int tokens);
  }

  /// Hears of bytes that were saved and brought back, and of failures, on the device's thread. What
  /// came back before it was written to the file was not read from there.
  interface Listener {
    void out(SwapPlace place, long bytes);

    void in(SwapPlace place, long bytes);

    void failed();

    /// A block that is in the way now was not saved.
    void refused(SwapRefusal reason);

    /// The most that may be saved has changed.
    void resized(long bytes);
  }

  SwapStore(
      DecoderExecutable executable,
      SwapSpace space,
      RecomputeCost recompute,
      Listener listener,
      LongSupplier clock) {
    this.executable = executable;
    this.recompute = recompute;
    this.listener = listener;
    this.clock = clock;
    blockBytes = executable.kvLayout().blockBytes();
    file = space.file(blockBytes);
    transfers = new SwapTransfers(space, file, blockBytes, clock);
    host = executable.hostBlocks();
    long most = host.capacityBytes() + space.capacity();
    size = SloBuffer.of(Math.min(most, Math.max(1, most / LEAST_PART)), most);
    moveNanos = blockBytes / GUESSED_BYTES_PER_SECOND * 1e9;
  }

  @Override
  public int save(int block, int index) {
    poll();
    if (size.mostBytes() == 0) {
      return NOT_SAVED;
    }
    int place = overPromised() ? HostBlocks.NO_PLACE : host.tryTake();
    if (place != HostBlocks.NO_PLACE) {
      return copyOut(block, place);
    }
    Optional<SwapRefusal> refusal = refusal(index);
    if (refusal.isEmpty()) {
      return copyOut(block);
    }
    listener.refused(refusal.get());
    return NOT_SAVED;
  }

  private Optional<SwapRefusal> refusal(int index) {
    if (file.full()) {
      return Optional.of(SwapRefusal.FULL);
    }
    if (overPromised()) {
      return Optional.of(SwapRefusal.PROMISES);
    }
    if (!pays(index) && ++dear % PROBE != 0) {
      return Optional.of(SwapRefusal.CHEAPER);
    }
    return transfers.available() ? Optional.empty() : Optional.of(SwapRefusal.BUSY);
  }

  @Override
  public boolean full() {
    return (host.full() && file.full()) || overPromised();
  }

  private boolean overPromised() {
    return (kept + file.usedCount() + 1) * blockBytes > size.bytes();
  }

  /// Out and in again, against computing the block's tokens.
  private boolean pays(int index) {
    int tokens = executable.kvLayout().blockTokens();
    return 2 * moveNanos < recompute.nanos(index * tokens, tokens);
  }

  @Override
  public int saveAhead(int block, int index) {
    poll();
    if (overPromised() || host.underWay() * blockBytes >= AHEAD_BYTES) {
      return NOT_SAVED;
    }
    int place = host.tryTake();
    if (place != HostBlocks.NO_PLACE) {
      return copyOut(block, place);
    }
    return transfers.mostlyUnused() && !file.full() && pays(index) ? copyOut(block) : NOT_SAVED;
  }

  private int copyOut(int block, int place) {
    try {
      host.save(block, place);
    } catch (RuntimeException e) {
      host.release(place);
      failed(e);
      return NOT_SAVED;
    }
    kept++;
    listener.out(SwapPlace.HOST, blockBytes);
    return 2 * place + IN_HOST;
  }

  /// The place or the slot.
  private static int number(int name) {
    return name / 2;
  }

  private static boolean inHost(int name) {
    return name % 2 == IN_HOST;
  }

  private int copyOut(int block) {
    MemorySegment buffer = transfers.take();
    try {
      executable.saveBlocks(new int[] {block}, buffer);
    } catch (RuntimeException e) {
      transfers.putBack(buffer);
      failed(e);
      return NOT_SAVED;
    }
    int slot = file.tryTake();
    if (slot < 0) {
      // Another instance took the last of the space.
      transfers.putBack(buffer);
      listener.refused(SwapRefusal.FULL);
      return NOT_SAVED;
    }
    transfers.write(slot, buffer);
    return 2 * slot + IN_FILE;
  }

  @Override
  public boolean ready(int name) {
    return inHost(name) || isRead(number(name));
  }

  /// Asks for it otherwise.
  private boolean isRead(int slot) {
    poll();
    if (broken.contains(slot)) {
      return true;
    }
    Optional<Transfer> transfer = transfers.of(slot);
    if (transfer.isEmpty() && transfers.available()) {
      transfers.read(slot, transfers.take());
    }
    return transfer.isPresent() && transfer.get().filled();
  }

  @Override
  public boolean fetchAhead(int name) {
    return inHost(name) || readAhead(number(name));
  }

  private boolean readAhead(int slot) {
    poll();
    if (!broken.contains(slot) && transfers.of(slot).isEmpty()) {
      if (!transfers.hardlyUsed()) {
        return false;
      }
      transfers.read(slot, transfers.take());
    }
    return true;
  }

  @Override
  public boolean load(int name, int block) {
    while (!ready(name)) {
      await(Duration.ofMillis(1));
    }
    // What is written now may reach the disk meanwhile; nobody gets its buffer before poll().
    int number = number(name);
    boolean whole =
        inHost(name)
            ? bring(number, block)
            : transfers.of(number).map(transfer -> bring(transfer, block)).orElse(false);
    drop(name);
    return whole;
  }

  private boolean bring(int place, int block) {
    try {
      host.load(place, block);
    } catch (RuntimeException e) {
      failed(e);
      return false;
    }
    listener.in(SwapPlace.HOST, blockBytes);
    return true;
  }

  @Override
  public boolean arriving(int block) {
    return host.arriving(block);
  }

  private boolean bring(Transfer transfer, int block) {
    if (transfer.writes()) {
      return copyIn(transfer.buffer(), block);
    }
    boolean whole = transfer.failure().isEmpty() && copyIn(transfer.buffer(), block);
    if (whole) {
      listener.in(SwapPlace.FILE, blockBytes);
    }
    return whole;
  }

  private boolean copyIn(MemorySegment buffer, int block) {
    try {
      executable.loadBlocks(new int[] {block}, buffer);
      return true;
    } catch (RuntimeException e) {
      failed(e);
      return false;
    }
  }

  /// Waits until something that is under way has ended, if anything is.
  void await(Duration longest) {
    if (transfers.await(longest)) {
      poll();
    } else if (host.underWay() > 0) {
      LockSupport.parkNanos(Math.min(COPY_NANOS, longest.toNanos()));
    }
  }

  /// Counts what has ended, and gets its buffers back.
  void poll() {
    transfers.poll(this::count, broken::add);
  }

  private void count(Transfer ended) {
    if (ended.failure().isPresent()) {
      failed(ended.failure().get());
      return;
    }
    moveNanos += WEIGHT * (Math.min((double) ended.nanos(), STALL * moveNanos) - moveNanos);
    if (ended.writes()) {
      listener.out(SwapPlace.FILE, blockBytes);
    }
  }

  /// Says it now and then: a disk that fails does so for every block, or for every other one.
  private void failed(Exception cause) {
    listener.failed();
    long now = clock.getAsLong();
    if (!warned || now - warnedAt > WARNED_EVERY.toNanos()) {
      warned = true;
      warnedAt = now;
      log.atWarn()
          .addKeyValue("reason", cause.toString())
          .log("KV blocks cannot be saved, or not be brought back; they are computed again");
    }
  }

  @Override
  public void drop(int name) {
    int slot = number(name);
    if (inHost(name)) {
      kept--;
      host.release(slot);
      return;
    }
    broken.remove(slot);
    transfers.drop(slot);
    file.release(slot);
  }

  /// Adapts the size to what a step brought.
  void stepped(boolean slowToken, boolean lateToken) {
    long before = size.bytes();
    size = size.after(slowToken, lateToken);
    if (size.bytes() != before) {
      listener.resized(size.bytes());
    }
  }

  @Override
  public void close() {
    poll();
    file.close();
    transfers.close();
  }
}
