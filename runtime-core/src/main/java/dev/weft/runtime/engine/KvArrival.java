package dev.weft.runtime.engine;

import dev.weft.autoscaler.profile.StepTimes;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.KvFormat;
import dev.weft.runtime.backend.KvLayout;
import dev.weft.runtime.scheduling.Sequence;
import dev.weft.runtime.scheduling.StepPlanner;
import dev.weft.runtime.transfer.KvReader;
import dev.weft.runtime.transfer.KvTransferException;
import dev.weft.runtime.transfer.KvTransferException.Reason;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;

/// Brings keys and values that were computed elsewhere to a decoder, for a request that is about to
/// be submitted and finds their tokens known then. Whole blocks come; of what is lost, or never
/// came, the tokens are computed.
///
/// Memory for all of them is planned when this is opened, and kept until it is closed: after the
/// request was submitted. **thread**: one, any but the device's.
public final class KvArrival implements AutoCloseable {
  private final DecoderExecutable executable;
  private final StepPlanner planner;
  private final DeviceThread device;
  private final Optional<StepTimes> times;
  private final Sequence sequence;
  private final int known;
  private int taken;

  private KvArrival(
      DecoderExecutable executable,
      StepPlanner planner,
      DeviceThread device,
      Optional<StepTimes> times,
      Sequence sequence) {
    this.executable = executable;
    this.planner = planner;
    this.device = device;
    this.times = times;
    this.sequence = sequence;
    known = sequence.computed();
  }

  /// Opens one for a text; empty when there is no memory for it. On the device's thread.
  ///
  /// @param cacheKey of the request's sequence
  /// @param times how long it takes to compute prompts here; empty when that is not known
  static Optional<KvArrival> open(
      DecoderExecutable executable,
      StepPlanner planner,
      DeviceThread device,
      Optional<StepTimes> times,
      int[] tokens,
      long cacheKey) {
    var sequence = new Sequence(tokens, tokens.length + 1, false, cacheKey);
    return planner.tryHold(sequence)
        ? Optional.of(new KvArrival(executable, planner, device, times, sequence))
        : Optional.empty();
  }

  /// Tokens, from the text's beginning, whose keys and values were here already.
  public int known() {
    return known;
  }

  /// Tokens after these whose keys and values can come.
  public int missing() {
    int tokensPerBlock = executable.kvLayout().blockTokens();
    return (sequence.length() - 1) / tokensPerBlock * tokensPerBlock - known;
  }

  /// Bytes of keys and values of one token.
  public long tokenBytes() {
    return executable.kvFormat().tokenBytes();
  }

  /// How long it takes to compute prompts here; empty when that is not known yet.
  public Optional<StepTimes> times() {
    return times;
  }

  /// Tokens that have come.
  public int taken() {
    return taken;
  }

  /// Reads the keys and values of the tokens after the known ones. When this throws, those that
  /// have come until then are here.
  ///
  /// @param model what tells this model from others
  public void take(InputStream in, String model) throws IOException {
    KvLayout layout = executable.kvLayout();
    KvFormat format = executable.kvFormat();
    var reader = new KvReader(in, format, model);
    if (reader.next() != known) {
      throw new KvTransferException(
          Reason.FORMAT, "they begin at token %d, not at %d".formatted(reader.next(), known));
    }
    int matching = reader.matching(sequence.tokens(0, known + missing()));
    int blocks = matching / layout.blockTokens() - known / layout.blockTokens();
    if (blocks <= 0) {
      throw new KvTransferException(
          Reason.TOKENS, "only %d tokens are those of this text".formatted(matching));
    }
    int most = Math.min(blocks, KeptKv.blocksAtOnce(layout));
    MemorySegment copies = Arena.ofAuto().allocate(most * layout.blockBytes(), Long.BYTES);
    for (int left = blocks; left > 0; left -= most) {
      take(reader, Math.min(left, most), copies);
    }
  }

  /// Brings some blocks, or as many as are whole before reading fails.
  private void take(KvReader reader, int blocks, MemorySegment copies) throws IOException {
    KvLayout layout = executable.kvLayout();
    int whole = 0;
    try {
      for (; whole < blocks; whole++) {
        MemorySegment block = copies.asSlice(whole * layout.blockBytes(), layout.blockBytes());
        for (int token = 0; token < layout.blockTokens(); token++) {
          reader.read(block, token);
        }
      }
    } finally {
      bring(whole, copies);
    }
  }

  private void bring(int blocks, MemorySegment copies) throws KvTransferException {
    KvLayout layout = executable.kvLayout();
    var held = new AtomicBoolean();
    device.call(() -> {
      held.set(planner.holds(sequence));
      for (int i = 0; held.get() && i < blocks; i++) {
        int block = planner.nextBlock(sequence);
        executable.loadBlocks(
            new int[] {block}, copies.asSlice(i * layout.blockBytes(), layout.blockBytes()));
        planner.filled(sequence);
        taken += layout.blockTokens();
      }
    });
    if (!held.get()) {
      throw new KvTransferException(Reason.MEMORY, "others needed the memory for them");
    }
  }

  /// Lets go: what has come stays known until its memory is needed.
  @Override
  public void close() {
    device.call(() -> planner.letGo(sequence));
  }
}
