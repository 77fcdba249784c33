package dev.weft.runtime.engine;

import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.KvFormat;
import dev.weft.runtime.backend.KvLayout;
import dev.weft.runtime.scheduling.Sequence;
import dev.weft.runtime.scheduling.StepPlanner;
import dev.weft.runtime.transfer.KvHeader;
import dev.weft.runtime.transfer.KvTransferException;
import dev.weft.runtime.transfer.KvTransferException.Reason;
import dev.weft.runtime.transfer.KvWriter;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;

/// The stopped sequences of one decoder whose keys and values somebody may still fetch.
final class KeptKv {
  /// What the device's thread copies between two steps, where a block is no larger: about a
  /// millisecond's worth.
  static final long COPIED_BYTES = 4L << 20;

  private final DecoderExecutable executable;
  private final StepPlanner planner;
  private final DeviceThread device;

  /// Guarded by itself.
  private final Set<Kept> all = new HashSet<>();

  KeptKv(DecoderExecutable executable, StepPlanner planner, DeviceThread device) {
    this.executable = executable;
    this.planner = planner;
    this.device = device;
  }

  /// Blocks that are copied at once.
  static int blocksAtOnce(KvLayout layout) {
    return (int) Math.max(1, COPIED_BYTES / layout.blockBytes());
  }

  /// Takes a sequence out of the steps and keeps what it has computed; empty when that is nothing
  /// that would help. On the device's thread.
  Optional<KvExport> keep(Sequence sequence) {
    if (!sequence.decoding() || !planner.hold(sequence)) {
      return Optional.empty();
    }
    Kept kept = new Kept(sequence);
    synchronized (all) {
      all.add(kept);
    }
    return Optional.of(kept);
  }

  boolean isEmpty() {
    synchronized (all) {
      return all.isEmpty();
    }
  }

  /// Waits until nobody wants any of them, at most so long.
  void await(Duration longest) {
    long end = System.nanoTime() + longest.toNanos();
    synchronized (all) {
      try {
        for (long left = longest.toNanos();
            !all.isEmpty() && left > 0;
            left = end - System.nanoTime()) {
          all.wait(left / 1_000_000 + 1);
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /// Forgets all, fetched or not.
  void clear() {
    synchronized (all) {
      all.clear();
      all.notifyAll();
    }
  }

  private final class Kept implements KvExport {
    private final Sequence sequence;
    private final int[] tokens;

    private Kept(Sequence sequence) {
      this.sequence = sequence;
      tokens = sequence.tokens(0, sequence.computed());
    }

    @Override
    public int tokens() {
      return tokens.length;
    }

    @Override
    public void write(String model, int first, OutputStream out) throws IOException {
      if (first < 0 || first > tokens.length) {
        throw new KvTransferException(
            Reason.GONE,
            "there are %d tokens, and none from %d on".formatted(tokens.length, first));
      }
      KvLayout layout = executable.kvLayout();
      KvFormat format = executable.kvFormat();
      int most = blocksAtOnce(layout);
      MemorySegment copies = Arena.ofAuto().allocate(most * layout.blockBytes(), Long.BYTES);
      var writer = new KvWriter(out, format, KvHeader.of(model, format, first, tokens));
      while (writer.next() < tokens.length) {
        int block = writer.next() / layout.blockTokens();
        int end = Math.min(block + most, layout.blocksFor(tokens.length));
        copy(block, end, copies);
        int until = Math.min(tokens.length, end * layout.blockTokens());
        while (writer.next() < until) {
          int from = writer.next() / layout.blockTokens() - block;
          writer.write(
              copies.asSlice(from * layout.blockBytes(), layout.blockBytes()),
              writer.next() % layout.blockTokens());
        }
      }
    }

    private void copy(int from, int end, MemorySegment target) throws KvTransferException {
      var there = new AtomicBoolean();
      device.call(() -> {
        if (planner.holds(sequence)) {
          int[] blocks = new int[end - from];
          for (int i = 0; i < blocks.length; i++) {
            blocks[i] = sequence.blocks().block(from + i);
          }
          executable.saveBlocks(blocks, target);
          there.set(true);
        }
      });
      if (!there.get()) {
        throw new KvTransferException(Reason.GONE, "their memory was needed");
      }
    }

    @Override
    public void close() {
      synchronized (all) {
        if (!all.remove(this)) {
          return;
        }
        all.notifyAll();
      }
      Runnable letGo = () -> planner.letGo(sequence);
      if (!device.offer(letGo)) {
        // The queue is full: this thread may be one that must not wait.
        Thread.ofVirtual().name("weft-kept").start(() -> device.call(letGo));
      }
    }
  }
}
