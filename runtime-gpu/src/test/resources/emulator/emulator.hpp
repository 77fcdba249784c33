// What the kernels need to be functions of an ordinary program. A block's threads are fibers, which
// run in turn until they meet at a barrier or exchange values between a warp's lanes: slow, and
// exact in all that has to do with indices, order of operations and rounding.
#pragma once
#define WEFT_EMULATED
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>

struct uint4 {
  unsigned x, y, z, w;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct float2 {
  float x, y;
};
struct Index {
  int x, y, z;
};

namespace emulator {
extern Index block, blocks, thread, threads;
extern unsigned char* shared;
void barrier();
// The word of another lane.
unsigned exchange(unsigned word, int distance);

using Kernel = std::function<void(void**)>;
std::map<std::string, Kernel>& kernels();

template <typename... P, size_t... I>
void call(void (*kernel)(P...), void** parameters, std::index_sequence<I...>) {
  kernel(*(typename std::decay<P>::type*)parameters[I]...);
}

struct Registered {
  template <typename... P>
  Registered(const char* name, void (*kernel)(P...)) {
    kernels()[name] = [kernel](void** parameters) {
      call(kernel, parameters, std::index_sequence_for<P...>());
    };
  }
};
}  // namespace emulator

#define blockIdx emulator::block
#define gridDim emulator::blocks
#define threadIdx emulator::thread
#define blockDim emulator::threads
#define __shared__ static
#define __restrict__
#define __syncthreads emulator::barrier
#define WEFT_DEVICE inline
#define WEFT_KERNEL(threads, name, ...)                         \
  static void name(__VA_ARGS__);                                \
  static emulator::Registered registered_##name(#name, &name);  \
  static void name(__VA_ARGS__)
#define WEFT_DYNAMIC_SHARED(name) unsigned char* name = emulator::shared

inline float halfToFloat(unsigned short half) {
  _Float16 value;
  memcpy(&value, &half, 2);
  return (float)value;
}

inline unsigned short floatToHalf(float value) {
  _Float16 half = (_Float16)value;
  unsigned short bits;
  memcpy(&bits, &half, 2);
  return bits;
}

inline float bitsToFloat(unsigned bits) {
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

// As the device does, which reads vectors at multiples of their size only.
inline uint4 streamed(const uint4* from) {
  if ((uintptr_t)from % 16 != 0) {
    throw std::runtime_error("a vector is not aligned");
  }
  return *from;
}

inline int intFromOtherLane(int value, int distance) {
  return (int)emulator::exchange((unsigned)value, distance);
}

inline float fromOtherLane(float value, int distance) {
  unsigned word;
  memcpy(&word, &value, 4);
  return bitsToFloat(emulator::exchange(word, distance));
}
