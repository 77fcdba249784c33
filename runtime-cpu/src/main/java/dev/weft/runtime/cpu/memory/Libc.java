package dev.weft.runtime.cpu.memory;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.weft.runtime.foreign.NativeException;
import dev.weft.runtime.foreign.NativeLibrary;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/// Links the functions of the C library that map memory; constants are Linux's for x86-64
/// (`bits/mman.h`, `linux/memfd.h`, `linux/falloc.h`). Failures become [NativeException] here.
final class Libc {
  static final int PROT_NONE = 0;
  static final int PROT_READ_WRITE = 3;
  static final int MAP_SHARED = 0x01;
  static final int MAP_PRIVATE = 0x02;
  static final int MAP_FIXED = 0x10;
  static final int MAP_ANONYMOUS = 0x20;
  static final int MAP_NORESERVE = 0x4000;
  static final int MADV_HUGEPAGE = 14;
  static final int MADV_DONTDUMP = 16;

  private static final int MFD_CLOEXEC = 1;
  private static final int FALLOC_FL_KEEP_SIZE = 1;
  private static final int FALLOC_FL_PUNCH_HOLE = 2;
  private static final long MAP_FAILED = -1;

  private static final int ENOMEM = 12;
  private static final int EINVAL = 22;

  private static final NativeLibrary LIBC = NativeLibrary.open("libc.so.6");
  private static final MethodHandle MEMFD_CREATE =
      LIBC.functionWithErrno("memfd_create", JAVA_INT, ADDRESS, JAVA_INT);
  private static final MethodHandle FTRUNCATE =
      LIBC.functionWithErrno("ftruncate", JAVA_INT, JAVA_INT, JAVA_LONG);
  private static final MethodHandle FALLOCATE =
      LIBC.functionWithErrno("fallocate", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle MMAP =
      LIBC.functionWithErrno(
          "mmap", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG);
  private static final MethodHandle MUNMAP =
      LIBC.functionWithErrno("munmap", JAVA_INT, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle MADVISE =
      LIBC.functionWithErrno("madvise", JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT);
  private static final MethodHandle CLOSE = LIBC.functionWithErrno("close", JAVA_INT, JAVA_INT);

  private Libc() {}

  /// A file without a name that lies in memory, `bytes` long and empty.
  static int memoryFile(String label, long bytes) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment errno = scratch.allocate(NativeLibrary.ERRNO);
      int file;
      try {
        file = (int) MEMFD_CREATE.invokeExact(errno, scratch.allocateFrom(label), MFD_CLOEXEC);
      } catch (Throwable t) {
        throw new AssertionError("memfd_create", t);
      }
      check("memfd_create", file < 0, errno, "a file in memory");
      int status;
      try {
        status = (int) FTRUNCATE.invokeExact(errno, file, bytes);
      } catch (Throwable t) {
        throw new AssertionError("ftruncate", t);
      }
      check("ftruncate", status != 0, errno, bytes + " bytes");
      return file;
    }
  }

  /// Gives the memory of a part of a file back; it reads as zeros.
  static void punchHole(int file, long offset, long bytes) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment errno = scratch.allocate(NativeLibrary.ERRNO);
      int status;
      try {
        status =
            (int)
                FALLOCATE.invokeExact(
                    errno, file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes);
      } catch (Throwable t) {
        throw new AssertionError("fallocate", t);
      }
      check("fallocate", status != 0, errno, "a hole of %d bytes".formatted(bytes));
    }
  }

  static long map(long address, long bytes, int protection, int flags, int file, long offset) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment errno = scratch.allocate(NativeLibrary.ERRNO);
      long mapped;
      try {
        mapped = (long) MMAP.invokeExact(errno, address, bytes, protection, flags, file, offset);
      } catch (Throwable t) {
        throw new AssertionError("mmap", t);
      }
      check("mmap", mapped == MAP_FAILED, errno, bytes + " bytes");
      return mapped;
    }
  }

  static void unmap(long address, long bytes) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment errno = scratch.allocate(NativeLibrary.ERRNO);
      int status;
      try {
        status = (int) MUNMAP.invokeExact(errno, address, bytes);
      } catch (Throwable t) {
        throw new AssertionError("munmap", t);
      }
      check("munmap", status != 0, errno, bytes + " bytes");
    }
  }

  /// Advice may be refused by a kernel that does not know it; nothing depends on it.
  static void advise(long address, long bytes, int advice) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment errno = scratch.allocate(NativeLibrary.ERRNO);
      int status;
      try {
        status = (int) MADVISE.invokeExact(errno, address, bytes, advice);
      } catch (Throwable t) {
        throw new AssertionError("madvise", t);
      }
      check(
          "madvise", status != 0 && NativeLibrary.errno(errno) != EINVAL, errno, bytes + " bytes");
    }
  }

  static void close(int file) {
    try (Arena scratch = Arena.ofConfined()) {
      int status;
      try {
        status = (int) CLOSE.invokeExact(scratch.allocate(NativeLibrary.ERRNO), file);
      } catch (Throwable t) {
        throw new AssertionError("close", t);
      }
      if (status != 0) {
        throw new NativeException("close", "failed for a file in memory");
      }
    }
  }

  private static void check(String function, boolean failed, MemorySegment errno, String what) {
    if (!failed) {
      return;
    }
    int code = NativeLibrary.errno(errno);
    String why =
        code == ENOMEM
            ? "of %s: out of memory, of address space, or of mappings (sysctl vm.max_map_count)"
                .formatted(what)
            : "of " + what;
    throw NativeException.status(function, code, why);
  }
}
