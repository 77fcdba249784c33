package dev.weft.runtime.cpu.memory;

import static dev.weft.runtime.foreign.NativeFunction.address;

import dev.weft.runtime.foreign.NativeException;
import dev.weft.runtime.foreign.NativeFunction;
import dev.weft.runtime.foreign.NativeLibrary;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

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
  private static final NativeFunction MEMFD_CREATE = LIBC.function("memfd_create");
  private static final NativeFunction FTRUNCATE = LIBC.function("ftruncate");
  private static final NativeFunction FALLOCATE = LIBC.function("fallocate");
  private static final NativeFunction MMAP = LIBC.function("mmap");
  private static final NativeFunction MUNMAP = LIBC.function("munmap");
  private static final NativeFunction MADVISE = LIBC.function("madvise");
  private static final NativeFunction CLOSE = LIBC.function("close");

  private Libc() {}

  /// A file without a name that lies in memory, `bytes` long and empty.
  static int memoryFile(String label, long bytes) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment errno = scratch.allocate(NativeLibrary.ERRNO);
      int file =
          (int)
              MEMFD_CREATE.callWithErrno(errno, address(scratch.allocateFrom(label)), MFD_CLOEXEC);
      check("memfd_create", file < 0, errno, "a file in memory");
      int status = (int) FTRUNCATE.callWithErrno(errno, file, bytes);
      check("ftruncate", status != 0, errno, bytes + " bytes");
      return file;
    }
  }

  /// Gives the memory of a part of a file back; it reads as zeros.
  static void punchHole(int file, long offset, long bytes) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment errno = scratch.allocate(NativeLibrary.ERRNO);
      int status =
          (int)
              FALLOCATE.callWithErrno(
                  errno, file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes);
      check("fallocate", status != 0, errno, "a hole of %d bytes".formatted(bytes));
    }
  }

  static long map(long address, long bytes, int protection, int flags, int file, long offset) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment errno = scratch.allocate(NativeLibrary.ERRNO);
      long mapped = MMAP.callWithErrno(errno, address, bytes, protection, flags, file, offset);
      check("mmap", mapped == MAP_FAILED, errno, bytes + " bytes");
      return mapped;
    }
  }

  static void unmap(long address, long bytes) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment errno = scratch.allocate(NativeLibrary.ERRNO);
      int status = (int) MUNMAP.callWithErrno(errno, address, bytes);
      check("munmap", status != 0, errno, bytes + " bytes");
    }
  }

  /// Advice may be refused by a kernel that does not know it; nothing depends on it.
  static void advise(long address, long bytes, int advice) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment errno = scratch.allocate(NativeLibrary.ERRNO);
      int status = (int) MADVISE.callWithErrno(errno, address, bytes, advice);
      check(
          "madvise", status != 0 && NativeLibrary.errno(errno) != EINVAL, errno, bytes + " bytes");
    }
  }

  static void close(int file) {
    try (Arena scratch = Arena.ofConfined()) {
      int status = (int) CLOSE.callWithErrno(scratch.allocate(NativeLibrary.ERRNO), file);
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
