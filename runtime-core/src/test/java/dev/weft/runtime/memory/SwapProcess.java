package dev.weft.runtime.memory;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/// Writes slots until it is killed; says so on its output when the first is written.
final class SwapProcess {
  private SwapProcess() {}

  public static void main(String[] arguments) throws IOException {
    int slotBytes = 1 << 20;
    var file = new SwapSpace(Path.of(arguments[0]), 64L << 20).file(slotBytes);
    int slot = file.tryTake();
    for (boolean first = true; ; first = false) {
      file.write(slot, ByteBuffer.allocate(slotBytes));
      if (first) {
        System.out.println("writing");
      }
      int next = file.tryTake();
      slot = next < 0 ? 0 : next;
    }
  }
}
