package dev.weft.runtime.foreign;

import static dev.weft.runtime.foreign.NativeFunction.address;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class NativeFunctionTest {
  private static final int ENOENT = 2;
  private static final NativeLibrary LIBC = NativeLibrary.open("libc.so.6");

  @Test
  void functionsReadAsManyWordsAsTheyHaveParameters() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment text = arena.allocateFrom("nineteen characters");
      assertThat(LIBC.function("strlen").call(address(text))).isEqualTo(19);
      assertThat(LIBC.function("labs").call(Long.MIN_VALUE + 1)).isEqualTo(Long.MAX_VALUE);
      assertThat((int) LIBC.function("abs").call(-7)).isEqualTo(7);
      MemorySegment target = arena.allocate(32);
      LIBC.function("memcpy").call(address(target), address(text), 9);
      assertThat(target.getString(0, StandardCharsets.UTF_8)).isEqualTo("nineteen ");
    }
  }

  @Test
  void errnoSaysWhy() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(NativeLibrary.ERRNO);
      MemorySegment path = arena.allocateFrom("/no/such/file");
      int status = (int) LIBC.function("access").callWithErrno(state, address(path), 0);
      assertThat(status).isEqualTo(-1);
      assertThat(NativeLibrary.errno(state)).isEqualTo(ENOENT);
    }
  }

  @Test
  void moreWordsThanAreKnownAreRefused() {
    assertThatThrownBy(() -> LIBC.function("labs").call(new long[13]))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("labs is given 13 words; 12 are the most");
  }

  @Test
  void heapIsOutOfReach() {
    assertThatThrownBy(() -> address(MemorySegment.ofArray(new byte[8])))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void missingFunctionIsTold() {
    assertThatThrownBy(() -> LIBC.function("no_such_function"))
        .isInstanceOf(NativeException.class)
        .hasMessage("libc.so.6 has no function 'no_such_function'");
  }
}
