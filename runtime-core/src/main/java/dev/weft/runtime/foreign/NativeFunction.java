package dev.weft.runtime.foreign;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Arrays;
import java.util.Collections;

/// A native function that takes up to twelve whole numbers and addresses and returns one of them,
/// or nothing.
///
/// All of up to six are called as one kind of function, of six words. Each further kind that is
/// linked costs a start of the process some milliseconds, since the JDK writes classes for it and
/// compiles them; on x86-64 it makes no difference: the first six integers and addresses are passed
/// in registers, a function reads as many of them, and as many of their bits, as it has parameters,
/// and whoever calls does not rely on the others (System V ABI, 3.2.3). So what is returned is as
/// wide as the function says, and to be narrowed by the caller: `(int)` for an `int32_t`.
@SuppressWarnings("restricted")
public final class NativeFunction {
  private static final int WORDS = 6;

  private static final FunctionDescriptor DESCRIPTOR =
      FunctionDescriptor.of(
          JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);

  private static final MethodHandle CALL = Linker.nativeLinker().downcallHandle(DESCRIPTOR);

  private final String name;
  private final MemorySegment address;

  NativeFunction(String name, MemorySegment address) {
    this.name = name;
    this.address = address;
  }

  /// Functions of more words, which follow on the stack; apart, so that it is linked when it is
  /// needed.
  private static final class OfMany {
    private static final int MOST_WORDS = 12;

    private static final MethodHandle CALL =
        Linker.nativeLinker()
            .downcallHandle(
                DESCRIPTOR.appendArgumentLayouts(
                    Collections.nCopies(MOST_WORDS - WORDS, JAVA_LONG)
                        .toArray(MemoryLayout[]::new)))
            .asSpreader(long[].class, MOST_WORDS);
  }

  /// Calls that say in `errno` why they failed; apart, so that it is linked when it is needed.
  private static final class WithErrno {
    private static final MethodHandle CALL =
        Linker.nativeLinker().downcallHandle(DESCRIPTOR, Linker.Option.captureCallState("errno"));
  }

  /// Calls it. Where a parameter is an address, see [#address].
  public long call(long... words) {
    if (words.length > WORDS) {
      return callOfMany(words);
    }
    long[] six = filled(words, WORDS);
    try {
      return (long) CALL.invokeExact(address, six[0], six[1], six[2], six[3], six[4], six[5]);
    } catch (Throwable t) {
      throw new AssertionError(name, t);
    }
  }

  private long callOfMany(long[] words) {
    long[] all = filled(words, OfMany.MOST_WORDS);
    try {
      return (long) OfMany.CALL.invokeExact(address, all);
    } catch (Throwable t) {
      throw new AssertionError(name, t);
    }
  }

  /// Calls it, and leaves `errno` in `state`, for [NativeLibrary#errno].
  public long callWithErrno(MemorySegment state, long... words) {
    long[] six = filled(words, WORDS);
    try {
      return (long)
          WithErrno.CALL.invokeExact(
              address, state, six[0], six[1], six[2], six[3], six[4], six[5]);
    } catch (Throwable t) {
      throw new AssertionError(name, t);
    }
  }

  private long[] filled(long[] words, int count) {
    if (words.length > count) {
      throw new IllegalArgumentException(
          "%s is given %d words; %d are the most".formatted(name, words.length, count));
    }
    return Arrays.copyOf(words, count);
  }

  /// The function's name, for messages.
  public String name() {
    return name;
  }

  /// Where a segment lies, as a parameter. The caller keeps it open until the call is over.
  public static long address(MemorySegment segment) {
    if (!segment.isNative()) {
      throw new IllegalArgumentException("native code cannot reach the heap: " + segment);
    }
    return segment.address();
  }
}
