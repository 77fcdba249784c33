package dev.weft.runtime.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SwapFileTest {
  private static final int SLOT_BYTES = 5_000;

  @TempDir Path directory;

  @Test
  void givesBackWhatWasWritten() throws IOException {
    try (var file = new SwapSpace(directory.resolve("swap"), 1 << 20).file(SLOT_BYTES)) {
      for (int i = 0; i < 5; i++) {
        assertThat(file.tryTake()).isEqualTo(i);
        file.write(i, contents(i));
      }
      file.release(3);
      assertThat(file.tryTake()).isEqualTo(3);
      file.write(3, contents(33));

      for (int i = 0; i < 5; i++) {
        var read = ByteBuffer.allocateDirect(SLOT_BYTES);
        file.read(i, read);
        assertThat(read.flip()).isEqualTo(contents(i == 3 ? 33 : i));
      }
    }
  }

  @Test
  void leavesNoNameBehindEvenWhileItIsOpen() throws IOException {
    try (var file = new SwapSpace(directory, 1 << 20).file(SLOT_BYTES)) {
      file.write(file.tryTake(), contents(1));

      try (var names = Files.list(directory)) {
        assertThat(names).isEmpty();
      }
    }
  }

  @Test
  void leavesNothingBehindWhenItsProcessIsKilledWhileItWrites() throws Exception {
    Path swap = directory.resolve("swap");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                SwapProcess.class.getName(),
                swap.toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    try (var output = process.inputReader()) {
      assertThat(output.readLine()).isEqualTo("writing");
    } finally {
      process.destroyForcibly().waitFor();
    }

    try (var names = Files.list(swap)) {
      assertThat(names).isEmpty();
    }
    // The next process begins with all of the space.
    var space = new SwapSpace(swap, SLOT_BYTES);
    try (var file = space.file(SLOT_BYTES)) {
      assertThat(file.tryTake()).isZero();
      file.write(0, contents(1));
    }
  }

  @Test
  void whatAKilledProcessLeftIsRemovedAndWhatIsOpenStays() throws IOException {
    var swap = new SwapDirectory(directory.resolve("swap"));
    swap.removeStale();
    assertThat(swap.path()).as("nothing is made before it is needed").doesNotExist();
    try (var file = new SwapSpace(swap, 1 << 20).file(SLOT_BYTES)) {
      int slot = file.tryTake();
      file.write(slot, contents(1));
      // As if its process had been killed before it took the name away.
      Files.write(swap.path().resolve("kv-0123.swap"), new byte[100]);
      Path other = Files.createFile(swap.path().resolve("notes.txt"));

      swap.removeStale();

      try (var names = Files.list(swap.path())) {
        assertThat(names).containsExactly(other);
      }
      var read = ByteBuffer.allocateDirect(SLOT_BYTES);
      file.read(slot, read);
      assertThat(read.flip()).isEqualTo(contents(1));
    }
  }

  @Test
  void onlyTheOwnerMayReadIt() throws IOException {
    var modes = new ArrayList<String>();
    var swap = new SwapDirectory(directory);
    try (var contents = swap.create();
        var links = Files.list(Path.of("/proc/self/fd"))) {
      assertThat(contents.write(contents(1), 0)).isPositive();
      for (Path link : links.toList()) {
        // Its name is gone; the link tells that it was here.
        if (Files.isSymbolicLink(link) && target(link).startsWith(directory.toString())) {
          modes.add(PosixFilePermissions.toString(Files.getPosixFilePermissions(link)));
        }
      }
    }
    assertThat(modes).containsExactly("rw-------");
  }

  private static String target(Path link) {
    try {
      return Files.readSymbolicLink(link).toString();
    } catch (IOException e) {
      // Another thread has closed it.
      return "";
    }
  }

  @Test
  void filesTogetherStayWithinTheSpace() throws IOException {
    var space = new SwapSpace(directory, 3 * SLOT_BYTES);
    try (var first = space.file(SLOT_BYTES);
        var second = space.file(SLOT_BYTES)) {
      assertThat(first.tryTake()).isZero();
      assertThat(second.tryTake()).isZero();
      assertThat(second.tryTake()).isEqualTo(1);
      assertThat(first.tryTake()).isNegative();
      assertThat(space.taken()).isEqualTo(3L * SLOT_BYTES);

      second.release(0);
      assertThat(first.tryTake()).as("a file does not shrink in the middle").isNegative();
      second.release(1);
      assertThat(first.tryTake()).isEqualTo(1);
      first.write(1, contents(4));
    }
    assertThat(space.taken()).isZero();
  }

  @Test
  void refusesSlotsThatAreNotInUseAndOtherLengths() {
    try (var file = new SwapSpace(directory, 1 << 20).file(SLOT_BYTES)) {
      assertThatThrownBy(() -> file.release(0)).hasMessageContaining("not in use");
      int slot = file.tryTake();
      assertThatThrownBy(() -> file.write(slot, ByteBuffer.allocate(4)))
          .hasMessageContaining("4 bytes for a slot");
      assertThatThrownBy(() -> file.read(slot, contents(0))).isInstanceOf(IOException.class);
    }
    assertThat(SwapSpace.NONE.file(1).tryTake()).isNegative();
  }

  private static ByteBuffer contents(int seed) {
    byte[] bytes = new byte[SLOT_BYTES];
    new java.util.SplittableRandom(seed).nextBytes(bytes);
    return ByteBuffer.wrap(bytes);
  }
}
