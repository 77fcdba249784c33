package dev.weft.runtime.cpu.topology;

import static dev.weft.runtime.foreign.NativeFunction.address;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import dev.weft.runtime.foreign.NativeException;
import dev.weft.runtime.foreign.NativeFunction;
import dev.weft.runtime.foreign.NativeLibrary;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/// Where the threads of this process run, and where the memory comes from that they touch first;
/// constants are Linux's for x86-64 (`asm/unistd_64.h`, `linux/mempolicy.h`).
///
/// Threads are kept on a *set* of processors, all of them the same: the system moves a worker away
/// from a neighbour within it. Without being told otherwise, Linux takes memory from the node of
/// the thread that touches it first, which keeps what a confined process touches beside its
/// processors.
public final class Placement {
  private static final long SYS_SET_MEMPOLICY = 238;
  private static final long MPOL_INTERLEAVE = 3;
  private static final int ESRCH = 3;
  private static final int MASK_BYTES = 1024;

  private static final NativeLibrary LIBC = NativeLibrary.open("libc.so.6");
  private static final NativeFunction SCHED_SETAFFINITY = LIBC.function("sched_setaffinity");
  private static final NativeFunction SYSCALL = LIBC.function("syscall");

  private Placement() {}

  /// Keeps all threads of this process, and those that they will start, on these processors.
  public static void confine(List<Integer> cpus) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment mask = mask(scratch, cpus);
      MemorySegment errno = scratch.allocate(NativeLibrary.ERRNO);
      // A thread that starts another before its own turn is found again with it.
      Set<Integer> confined = new HashSet<>();
      boolean more = true;
      while (more) {
        more = false;
        for (int thread : threads()) {
          if (confined.add(thread)) {
            more = true;
            confine(thread, mask, errno);
          }
        }
      }
    }
  }

  private static void confine(int thread, MemorySegment mask, MemorySegment errno) {
    int status = (int) SCHED_SETAFFINITY.callWithErrno(errno, thread, MASK_BYTES, address(mask));
    // One that has ended meanwhile needs no place.
    if (status != 0 && NativeLibrary.errno(errno) != ESRCH) {
      throw NativeException.status("sched_setaffinity", NativeLibrary.errno(errno), "of a thread");
    }
  }

  /// Takes memory from these nodes in turn: for the calling thread and those that it will start.
  public static void interleave(List<Integer> nodes) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment errno = scratch.allocate(NativeLibrary.ERRNO);
      MemorySegment mask = mask(scratch, nodes);
      long status =
          SYSCALL.callWithErrno(
              errno, SYS_SET_MEMPOLICY, MPOL_INTERLEAVE, address(mask), 8L * MASK_BYTES);
      if (status != 0) {
        throw NativeException.status(
            "set_mempolicy", NativeLibrary.errno(errno), "for nodes " + nodes);
      }
    }
  }

  private static MemorySegment mask(Arena scratch, List<Integer> bits) {
    MemorySegment mask = scratch.allocate(MASK_BYTES, Long.BYTES);
    for (int bit : bits) {
      int at = bit / Byte.SIZE;
      mask.set(JAVA_BYTE, at, (byte) (mask.get(JAVA_BYTE, at) | 1 << (bit % Byte.SIZE)));
    }
    return mask;
  }

  private static Set<Integer> threads() {
    Set<Integer> threads = new HashSet<>();
    try (DirectoryStream<Path> tasks = Files.newDirectoryStream(Path.of("/proc/self/task"))) {
      tasks.forEach(task -> threads.add(Integer.parseInt(String.valueOf(task.getFileName()))));
    } catch (IOException e) {
      throw new IllegalStateException("cannot list the threads of this process", e);
    }
    return threads;
  }
}
