// What the kernels say instead of CUDA's own headers, which are not there where NVRTC compiles: so
// a host needs the compiler alone. With WEFT_EMULATED the test's emulator has said it already, and
// an ordinary C++ compiler makes functions of the kernels.
#ifndef WEFT_EMULATED
#define WEFT_DEVICE __device__ __forceinline__
#define WEFT_KERNEL(threads, name, ...) \
  extern "C" __global__ void __launch_bounds__(threads) name(__VA_ARGS__)
#define WEFT_DYNAMIC_SHARED(name) extern __shared__ __align__(16) unsigned char name[]

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
#endif

#define WARP 32
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
