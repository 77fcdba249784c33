// What the kernels say instead of CUDA's own headers, which are not there where NVRTC compiles: so
// a host needs the compiler alone. With WEFT_EMULATED the test's emulator has said it already, and
// an ordinary C++ compiler makes functions of the kernels.
#define WARP 32

#ifndef WEFT_EMULATED
#define WEFT_DEVICE __device__ __forceinline__
#define WEFT_KERNEL(threads, name, ...) \
  extern "C" __global__ void __launch_bounds__(threads) name(__VA_ARGS__)
// The same, with registers for so many blocks on a multiprocessor.
#define WEFT_KERNEL_BESIDE(threads, blocks, name, ...) \
  extern "C" __global__ void __launch_bounds__(threads, blocks) name(__VA_ARGS__)
// The same of neighbouring blocks that run at the same time and reach each other's shared memory.
#define WEFT_KERNEL_TOGETHER(threads, together, name, ...)                              \
  extern "C" __global__ void __cluster_dims__(together, 1, 1) \
      __launch_bounds__(threads, 1) name(__VA_ARGS__)
#define WEFT_DYNAMIC_SHARED(name) extern __shared__ __align__(1024) unsigned char name[]
// Shared memory that every block of a `Group` has, of those that run together.
#define WEFT_SHARED_OF(Group, Type, name, count) __shared__ Type name[count]

WEFT_DEVICE float halfToFloat(unsigned short half) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(half));
  return value;
}

WEFT_DEVICE unsigned short floatToHalf(float value) {
  unsigned short half;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half) : "f"(value));
  return half;
}

WEFT_DEVICE float bitsToFloat(unsigned bits) {
  return __uint_as_float(bits);
}

WEFT_DEVICE unsigned floatToBits(float value) {
  return __float_as_uint(value);
}

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
#define WEFT_TOGETHER
// Which of the blocks that run together this is.
WEFT_DEVICE int rankOfBlock() {
  int rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}

// Returns once all threads of the blocks that run together are here, and sees what they wrote.
WEFT_DEVICE void barrierOfBlocks() {
  asm volatile("barrier.cluster.arrive.release;" ::: "memory");
  asm volatile("barrier.cluster.wait.acquire;" ::: "memory");
}

// What another block has where this one has `own`, in an array of `count`.
template <typename Type>
WEFT_DEVICE Type* ofBlock(Type* own, int count, int rank) {
  unsigned long long other;
  asm volatile("mapa.u64 %0, %1, %2;" : "=l"(other) : "l"(own), "r"(rank));
  return (Type*)other;
}
#endif

// Adds to a word that other threads add to, and returns what it was.
WEFT_DEVICE unsigned addToWord(unsigned* word, unsigned value) {
  return atomicAdd(word, value);
}

// Weights are read once a step: they shall not push activations out of the first-level cache.
WEFT_DEVICE uint4 streamed(const uint4* from) {
  uint4 value;
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(value.x), "=r"(value.y), "=r"(value.z), "=r"(value.w)
               : "l"(from));
  return value;
}

WEFT_DEVICE float fromOtherLane(float value, int distance) {
  return __shfl_xor_sync(0xffffffffu, value, distance);
}

WEFT_DEVICE int intFromOtherLane(int value, int distance) {
  return __shfl_xor_sync(0xffffffffu, value, distance);
}

WEFT_DEVICE bool allLanes(bool value) {
  return __all_sync(0xffffffffu, value);
}

WEFT_DEVICE void warpBarrier() {
  __syncwarp();
}

// Two to the power of it, the same on every path: within two units in the last place.
WEFT_DEVICE float powerOfTwo(float value) {
  float power;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(value));
  return power;
}

WEFT_DEVICE float reciprocal(float value) {
  float result;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(value));
  return result;
}

// Two values rounded to bfloat16, the first in the lower half.
WEFT_DEVICE unsigned toBfloats(float first, float second) {
  unsigned both;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(second), "f"(first));
  return both;
}

WEFT_DEVICE unsigned toHalves(float first, float second) {
  unsigned both;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(second), "f"(first));
  return both;
}

// Two of four int8 as float16, exactly: 1152 more than one of them is a float16 whose lower byte is
// the int8 with its sign changed.
template <int FIRST, int SECOND>
WEFT_DEVICE unsigned bytesToHalves(unsigned bytes) {
  unsigned both;
  asm("prmt.b32 %0, %1, %2, %3;"
      : "=r"(both)
      : "r"(bytes ^ 0x80808080u), "r"(0x64646464u), "n"(0x4040 | SECOND << 8 | FIRST));
  asm("sub.f16x2 %0, %1, %2;" : "=r"(both) : "r"(both), "r"(0x64806480u));
  return both;
}

// Copies 16 bytes to shared memory while the thread goes on; zeros where there is nothing to copy.
WEFT_DEVICE void copyAhead(void* shared, const void* from, bool there) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(
                   (unsigned)__cvta_generic_to_shared(shared)),
               "l"(from), "r"(there ? 16 : 0)
               : "memory");
}

// The same of four bytes.
WEFT_DEVICE void copyWordAhead(void* shared, const void* from, bool there) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(
                   (unsigned)__cvta_generic_to_shared(shared)),
               "l"(from), "r"(there ? 4 : 0)
               : "memory");
}

// What was copied ahead since the last call is a group.
WEFT_DEVICE void endOfCopies() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}

// Waits until at most so many of the thread's last groups are still under way.
template <int LEFT>
WEFT_DEVICE void waitForCopies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(LEFT) : "memory");
}

// Four matrices of 8 rows of 16 bytes in shared memory: lane l says where row l % 8 of matrix l / 8
// begins, and has of each matrix two neighbouring elements of 16 bits of row l / 4.
WEFT_DEVICE void loadMatrices(unsigned (&to)[4], const unsigned char* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"((unsigned)__cvta_generic_to_shared(row))
               : "memory");
}

// The same, with each matrix's rows for columns.
WEFT_DEVICE void loadTransposed(unsigned (&to)[4], const unsigned char* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"((unsigned)__cvta_generic_to_shared(row))
               : "memory");
}

// sums += a * b: 16 rows of 16 elements with 8 columns, in the fragments of `mma.m16n8k16`. A sum
// depends on its row and its column alone.
WEFT_DEVICE void multiplyBfloats(float (&sums)[4], const unsigned (&a)[4], unsigned low,
                                 unsigned high) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(low), "r"(high));
}

WEFT_DEVICE void multiplyHalves(float (&sums)[4], const unsigned (&a)[4], unsigned low,
                                unsigned high) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(low), "r"(high));
}

// On Hopper a kernel may begin before the one that was submitted before it has ended: what it does
// before `waitForPrevious` must touch nothing that any other kernel writes. It lets the next one
// begin at once. A step's tables are written before its first kernel begins.
WEFT_DEVICE void letNextBegin() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

WEFT_DEVICE void waitForPrevious() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
#endif

#define INFINITE bitsToFloat(0x7f800000u)

// The sum over the warp's lanes, in every lane, always added in the same order.
WEFT_DEVICE float warpSum(float value) {
  for (int distance = WARP / 2; distance > 0; distance /= 2) {
    value = value + fromOtherLane(value, distance);
  }
  return value;
}

WEFT_DEVICE float warpMax(float value) {
  for (int distance = WARP / 2; distance > 0; distance /= 2) {
    value = fmaxf(value, fromOtherLane(value, distance));
  }
  return value;
}
