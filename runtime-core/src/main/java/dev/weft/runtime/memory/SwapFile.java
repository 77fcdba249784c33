package dev.weft.runtime.memory;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/// Slots of one size in a file of a [SwapSpace]; the lowest free one goes out first. The file takes
/// what its highest slot needs, and nothing once all are free.
///
/// One thread takes and releases slots. Contents are written and read in [SwapSpace#execute] alone,
/// in order: a slot may be released, and taken again, while something is still to be done with it.
public final class SwapFile implements AutoCloseable {
  private final SwapSpace space;
  private final long slotBytes;
  private final BitSet used = new BitSet();
  private @Nullable FileChannel channel;
  private int slots;

  SwapFile(SwapSpace space, long slotBytes) {
    if (slotBytes < 1) {
      throw new IllegalArgumentException("slotBytes is not positive: " + slotBytes);
    }
    this.space = space;
    this.slotBytes = slotBytes;
  }

  /// A free slot, or -1 when the space is full.
  public int tryTake() {
    int slot = used.nextClearBit(0);
    if (slot >= slots) {
      if (!space.tryTake(slotBytes)) {
        return -1;
      }
      slots++;
    }
    used.set(slot);
    return slot;
  }

  /// Frees a slot.
  public void release(int slot) {
    checkSlot(slot);
    used.clear(slot);
    if (used.isEmpty()) {
      close();
    }
  }

  public int usedCount() {
    return used.cardinality();
  }

  /// Writes a slot's contents.
  public void write(int slot, ByteBuffer contents) throws IOException {
    checkLength(contents);
    if (channel == null) {
      channel = space.openFile();
    }
    long position = slot * slotBytes;
    while (contents.hasRemaining()) {
      position += channel.write(contents, position);
    }
  }

  /// Reads a slot's contents.
  public void read(int slot, ByteBuffer contents) throws IOException {
    checkLength(contents);
    long position = slot * slotBytes;
    while (contents.hasRemaining()) {
      int count = channel == null ? -1 : channel.read(contents, position);
      if (count < 0) {
        throw new EOFException("slot %d was never written".formatted(slot));
      }
      position += count;
    }
  }

  private void checkSlot(int slot) {
    if (slot < 0 || !used.get(slot)) {
      throw new IllegalStateException("slot %d is not in use".formatted(slot));
    }
  }

  private void checkLength(ByteBuffer contents) {
    if (contents.remaining() != slotBytes) {
      throw new IllegalArgumentException(
          "%d bytes for a slot of %d".formatted(contents.remaining(), slotBytes));
    }
  }

  /// Gives everything back to the disk; a new slot opens a new file.
  @Override
  public void close() {
    space.giveBack(slots * slotBytes);
    slots = 0;
    used.clear();
    space.execute(this::closeChannel);
  }

  private void closeChannel() {
    FileChannel open = channel;
    channel = null;
    if (open != null) {
      try {
        open.close();
      } catch (IOException _) {
        // The file has no name: its bytes are the system's again whatever close says.
      }
    }
  }
}
