package dev.weft.runtime.backend;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/// Places of a decoder's blocks whose copies are made at once, fail when a test says so, and are
/// said to be under way for as long as it says.
public final class FakeHostBlocks implements HostBlocks {
  private final DecoderExecutable decoder;
  private final BitSet used = new BitSet();
  private final List<MemorySegment> contents = new ArrayList<>();
  private final Set<Integer> arriving = new HashSet<>();
  private boolean failing;
  private boolean late;

  public FakeHostBlocks(DecoderExecutable decoder, int places) {
    this.decoder = decoder;
    for (int i = 0; i < places; i++) {
      contents.add(Arena.ofAuto().allocate(decoder.kvLayout().blockBytes(), Long.BYTES));
    }
  }

  public void fail(boolean yes) {
    failing = yes;
  }

  public void late(boolean yes) {
    late = yes;
    if (!late) {
      arriving.clear();
    }
  }

  @Override
  public long capacityBytes() {
    return contents.size() * decoder.kvLayout().blockBytes();
  }

  @Override
  public boolean full() {
    return used.cardinality() == contents.size();
  }

  @Override
  public int tryTake() {
    if (full()) {
      return NO_PLACE;
    }
    int place = used.nextClearBit(0);
    used.set(place);
    return place;
  }

  @Override
  public void release(int place) {
    checkTaken(place);
    used.clear(place);
  }

  private void checkTaken(int place) {
    if (!used.get(place)) {
      throw new IllegalStateException("place %d is free".formatted(place));
    }
  }

  private void checkWorks() {
    if (failing) {
      throw new IllegalStateException("the copy fails");
    }
  }

  @Override
  public void save(int block, int place) {
    checkTaken(place);
    checkWorks();
    decoder.saveBlocks(new int[] {block}, contents.get(place));
  }

  @Override
  public void load(int place, int block) {
    checkTaken(place);
    checkWorks();
    decoder.loadBlocks(new int[] {block}, contents.get(place));
    if (late) {
      arriving.add(block);
    }
  }

  @Override
  public int underWay() {
    return arriving.size();
  }

  @Override
  public boolean arriving(int block) {
    return arriving.contains(block);
  }
}
