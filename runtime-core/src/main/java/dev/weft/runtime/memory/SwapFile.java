package dev.weft.runtime.memory;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/// Slots of one size in a file of a [SwapSpace]; the lowest free one goes out first. The file takes
/// what its highest slot needs, and nothing once all are free.
///
/// One thread takes and releases slots. Contents are written and read in [SwapSpace#execute] alone,
/// in order: a slot may be released, and taken again, while something is still to be done with it.
/// What is read is checked to be what was written.
public final class SwapFile implements AutoCloseable {
  private final SwapSpace space;
  private final long slotBytes;
  private final BitSet used = new BitSet();
  private final Map<Integer, Integer> checksums = new HashMap<>();
  private SwapDisk.@Nullable Contents file;
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

  /// Whether [#tryTake] would give none.
  public boolean full() {
    return used.cardinality() == slots && !space.hasRoom(slotBytes);
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
    checksums.remove(slot);
    if (file == null) {
      file = space.openFile();
    }
    int checksum = checksum(contents);
    long position = slot * slotBytes;
    while (contents.hasRemaining()) {
      position += file.write(contents, position);
    }
    checksums.put(slot, checksum);
  }

  /// Reads a slot's contents. Throws [IOException] as well when they are not what was written.
  public void read(int slot, ByteBuffer contents) throws IOException {
    checkLength(contents);
    Integer expected = checksums.get(slot);
    if (file == null || expected == null) {
      throw new IOException("slot %d was never written".formatted(slot));
    }
    ByteBuffer whole = contents.duplicate();
    long position = slot * slotBytes;
    while (contents.hasRemaining()) {
      int count = file.read(contents, position);
      if (count < 0) {
        throw new EOFException("the swap file ends before the end of slot %d".formatted(slot));
      }
      position += count;
    }
    if (checksum(whole) != expected) {
      throw new IOException("slot %d does not hold what was written to it".formatted(slot));
    }
  }

  private static int checksum(ByteBuffer contents) {
    var checksum = new CRC32C();
    checksum.update(contents.duplicate());
    return (int) checksum.getValue();
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
    space.execute(this::closeFile);
  }

  private void closeFile() {
    SwapDisk.Contents open = file;
    file = null;
    checksums.clear();
    if (open != null) {
      try {
        open.close();
      } catch (IOException _) {
        // The file has no name: its bytes are the system's again whatever close says.
      }
    }
  }
}
