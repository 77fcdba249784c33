// What the kernels need to be functions of an ordinary program. A block's threads are fibers, which
// run in turn until they meet at a barrier or exchange values between a warp's lanes: slow, and
// exact in all that has to do with indices, order of operations and rounding.
#pragma once
#define WEFT_EMULATED
#define WARP 32
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
struct uint2 {
  unsigned x, y;
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
// Which of the blocks that run together this is, and their barrier.
int rank();
void barrierOfAll();
// What lies in this block's shared memory, in that of another that runs with it.
void* inBlock(void* shared, int rank);
// Lets the other threads go on.
void pause();
// Where the lanes of a warp put what they share, once all have.
constexpr int LANES = 32;
constexpr int MOST_SHARED_WORDS = 6;
using LaneWords = unsigned[MOST_SHARED_WORDS];
const LaneWords* share(const unsigned* words, int count);

template <typename T>
T ofLane(const LaneWords* all, int lane) {
  T value;
  memcpy(&value, all[lane], sizeof value);
  return value;
}

// What lanes share of fragments of `mma.m16n8k16`.
struct Fragments {
  unsigned a[4], b[2];
};

constexpr int MOST_TOGETHER = 8;
struct Kernel {
  std::function<void(void**)> run;
  int together;
};
std::map<std::string, Kernel>& kernels();

template <typename... P, size_t... I>
void call(void (*kernel)(P...), void** parameters, std::index_sequence<I...>) {
  kernel(*(typename std::decay<P>::type*)parameters[I]...);
}

struct Registered {
  // `together` blocks run at the same time.
  template <typename... P>
  Registered(const char* name, void (*kernel)(P...), int together = 1) {
    kernels()[name] = {[kernel](void** parameters) {
                         call(kernel, parameters, std::index_sequence_for<P...>());
                       },
                       together};
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
#define WEFT_KERNEL_BESIDE(threads, blocks, name, ...) WEFT_KERNEL(threads, name, __VA_ARGS__)
#define WEFT_KERNEL_TOGETHER(threads, together, name, ...)                \
  static void name(__VA_ARGS__);                                          \
  static emulator::Registered registered_##name(#name, &name, together);  \
  static void name(__VA_ARGS__)
#define WEFT_SHARED_OF(Group, Type, name, count) \
  static Type name##OfAll[Group::BLOCKS][count]; \
  Type* name = name##OfAll[Group::rank()]
#define WEFT_TOGETHER
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

inline unsigned floatToBits(float value) {
  unsigned bits;
  memcpy(&bits, &value, 4);
  return bits;
}

inline int rankOfBlock() {
  return emulator::rank();
}

inline void barrierOfBlocks() {
  emulator::barrierOfAll();
}

template <typename Type>
inline Type* ofBlock(Type* own, int count, int rank) {
  return own + (rank - emulator::rank()) * count;
}

// Threads run in turn: nothing comes between.
inline unsigned addToWord(unsigned* word, unsigned value) {
  unsigned before = *word;
  *word = before + value;
  return before;
}

inline float bfloatToFloat(unsigned short bits) {
  return bitsToFloat((unsigned)bits << 16);
}

inline unsigned short floatToBfloat(float value) {
  unsigned bits;
  memcpy(&bits, &value, 4);
  return value != value ? 0x7fff : (unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

inline unsigned toBfloats(float first, float second) {
  return floatToBfloat(first) | (unsigned)floatToBfloat(second) << 16;
}

inline unsigned toHalves(float first, float second) {
  return floatToHalf(first) | (unsigned)floatToHalf(second) << 16;
}

template <int FIRST, int SECOND>
inline unsigned bytesToHalves(unsigned bytes) {
  return toHalves((signed char)(bytes >> 8 * FIRST), (signed char)(bytes >> 8 * SECOND));
}

inline float powerOfTwo(float value) {
  return exp2f(value);
}

inline float reciprocal(float value) {
  return 1 / value;
}

// As the device does, which reads vectors at multiples of their size only.
inline void requireAligned(const void* vector) {
  if ((uintptr_t)vector % 16 != 0) {
    throw std::runtime_error("a vector is not aligned");
  }
}

inline uint4 streamed(const uint4* from) {
  requireAligned(from);
  return *from;
}

inline void copyAhead(void* shared, const void* from, bool there) {
  requireAligned(shared);
  requireAligned(from);
  if (there) {
    memcpy(shared, from, 16);
  } else {
    memset(shared, 0, 16);
  }
}

inline void copyWordAhead(void* shared, const void* from, bool there) {
  if ((uintptr_t)shared % 4 != 0 || (uintptr_t)from % 4 != 0) {
    throw std::runtime_error("a word is not aligned");
  }
  if (there) {
    memcpy(shared, from, 4);
  } else {
    memset(shared, 0, 4);
  }
}

inline void endOfCopies() {}
template <int LEFT>
inline void waitForCopies() {}
inline void letNextBegin() {}
inline void waitForPrevious() {}

inline void warpBarrier() {
  emulator::share(nullptr, 0);
}

inline int intFromOtherLane(int value, int distance) {
  auto all = emulator::share((unsigned*)&value, 1);
  return emulator::ofLane<int>(all, (threadIdx.x % emulator::LANES) ^ distance);
}

inline float fromOtherLane(float value, int distance) {
  auto all = emulator::share((unsigned*)&value, 1);
  return emulator::ofLane<float>(all, (threadIdx.x % emulator::LANES) ^ distance);
}

inline bool allLanes(bool value) {
  unsigned word = value;
  auto all = emulator::share(&word, 1);
  for (int lane = 0; lane < emulator::LANES; lane++) {
    value = value && emulator::ofLane<unsigned>(all, lane);
  }
  return value;
}

inline void loadMatrices(unsigned (&to)[4], const unsigned char* row) {
  int lane = threadIdx.x % emulator::LANES;
  requireAligned(row);
  auto all = emulator::share((unsigned*)&row, 2);
  for (int matrix = 0; matrix < 4; matrix++) {
    memcpy(&to[matrix],
           emulator::ofLane<const char*>(all, matrix * 8 + lane / 4) + lane % 4 * 4, 4);
  }
}

inline void loadTransposed(unsigned (&to)[4], const unsigned char* row) {
  int lane = threadIdx.x % emulator::LANES;
  requireAligned(row);
  auto all = emulator::share((unsigned*)&row, 2);
  for (int matrix = 0; matrix < 4; matrix++) {
    for (int i = 0; i < 2; i++) {
      memcpy((char*)&to[matrix] + 2 * i,
             emulator::ofLane<const char*>(all, matrix * 8 + lane % 4 * 2 + i) + lane / 4 * 2, 2);
    }
  }
}

template <typename Value>
inline void multiplyFragments(float (&sums)[4], const unsigned (&a)[4], unsigned low, unsigned high,
                              Value value) {
  int lane = threadIdx.x % emulator::LANES;
  emulator::Fragments own = {{a[0], a[1], a[2], a[3]}, {low, high}};
  auto all = (const emulator::Fragments*)emulator::share((unsigned*)&own, 6);
  for (int i = 0; i < 4; i++) {
    int row = lane / 4 + i / 2 * 8;
    int column = lane % 4 * 2 + i % 2;
    double sum = sums[i];
    for (int k = 0; k < 16; k++) {
      unsigned left = all[row % 8 * 4 + k % 8 / 2].a[row / 8 + k / 8 * 2] >> k % 2 * 16;
      unsigned right = all[column * 4 + k % 8 / 2].b[k / 8] >> k % 2 * 16;
      sum += (double)value((unsigned short)left) * value((unsigned short)right);
    }
    sums[i] = (float)sum;
  }
}

inline void multiplyBfloats(float (&sums)[4], const unsigned (&a)[4], unsigned low, unsigned high) {
  multiplyFragments(sums, a, low, high, bfloatToFloat);
}

inline void multiplyHalves(float (&sums)[4], const unsigned (&a)[4], unsigned low, unsigned high) {
  multiplyFragments(sums, a, low, high, halfToFloat);
}

// A matrix in shared memory as `wgmma` is told of it: where it begins, in sixteens.
inline unsigned long long matrixAt(const unsigned char* shared) {
  return (unsigned long long)shared >> 4;
}

// Element k of a row of 128 bytes, whose chunks changed places.
inline unsigned short wideBits(unsigned long long matrix, int row, int k) {
  uintptr_t at = (uintptr_t)(matrix << 4) + row * 128 + k * 2;
  unsigned short bits;
  memcpy(&bits, (const void*)(at ^ (at >> 7 & 7) << 4), 2);
  return bits;
}

inline float wideElement(unsigned long long matrix, int row, int k) {
  return bfloatToFloat(wideBits(matrix, row, k));
}

template <int TILES>
inline void multiplyWide(float (&sums)[TILES][4], unsigned long long a, unsigned long long b) {
  int lane = threadIdx.x % emulator::LANES;
  int warp = threadIdx.x / emulator::LANES % 4;
  for (int tile = 0; tile < TILES; tile++) {
    for (int i = 0; i < 4; i++) {
      double sum = sums[tile][i];
      for (int k = 0; k < 16; k++) {
        sum += (double)wideElement(a, warp * 16 + lane / 4 + i / 2 * 8, k) *
               wideElement(b, tile * 8 + lane % 4 * 2 + i % 2, k);
      }
      sums[tile][i] = (float)sum;
    }
  }
}

// `right` is the float16 of a row of 16 for a column.
template <int TILES, typename Right>
inline void multiplyWideFragments(float (&sums)[TILES][4], const unsigned (&a)[4], int add,
                                  Right right) {
  int lane = threadIdx.x % emulator::LANES;
  auto all = emulator::share(a, 4);
  for (int tile = 0; tile < TILES; tile++) {
    for (int i = 0; i < 4; i++) {
      int row = lane / 4 + i / 2 * 8;
      int column = tile * 8 + lane % 4 * 2 + i % 2;
      double sum = add ? sums[tile][i] : 0;
      for (int k = 0; k < 16; k++) {
        unsigned left = all[row % 8 * 4 + k % 8 / 2][row / 8 + k / 8 * 2] >> k % 2 * 16;
        sum += (double)halfToFloat((unsigned short)left) * halfToFloat(right(k, column));
      }
      sums[tile][i] = (float)sum;
    }
  }
}

inline void multiplyWideHalves(float (&sums)[8][4], const unsigned (&a)[4], unsigned long long b,
                               int add) {
  multiplyWideFragments(sums, a, add, [=](int k, int column) { return wideBits(b, column, k); });
}

template <int TILES>
inline void multiplyWideColumns(float (&sums)[TILES][4], const unsigned (&a)[4],
                                unsigned long long b, int add) {
  multiplyWideFragments(sums, a, add, [=](int k, int column) { return wideBits(b, k, column); });
}

inline void showToTensorCores() {}
inline void beginWide() {}
inline void endWide() {}
template <int LEFT>
inline void waitForWide() {}

// A gate: how often it has opened, how many arrivals it takes, how many of them are missing, and
// bytes that it waits for.
struct Gate {
  unsigned short opened;
  unsigned char arrivals, missing;
  int bytes;
};

inline void makeGate(unsigned long long* gate, int arrivals) {
  *(Gate*)gate = {0, (unsigned char)arrivals, (unsigned char)arrivals, 0};
}

inline void openIfComplete(Gate& gate) {
  if (gate.missing == 0 && gate.bytes == 0) {
    gate.missing = gate.arrivals;
    gate.opened++;
  }
}

inline void arriveAt(unsigned long long* gate) {
  Gate& at = *(Gate*)gate;
  at.missing--;
  openIfComplete(at);
}

inline void expectAt(unsigned long long* gate, int bytes) {
  ((Gate*)gate)->bytes += bytes;
  arriveAt(gate);
}

inline void waitAt(unsigned long long* gate, int times) {
  while ((((Gate*)gate)->opened & 1) == (unsigned)(times & 1)) {
    emulator::pause();
  }
}

#define __grid_constant__

inline void showGates() {}

inline void arriveAtBlock(unsigned long long* gate, int rank) {
  arriveAt((unsigned long long*)emulator::inBlock(gate, rank));
}

// As the emulator's driver encodes it.
struct TensorMap {
  static constexpr int MOST_DIMENSIONS = 4;
  const unsigned char* address;
  int rank;
  int box[MOST_DIMENSIONS];
  long sizes[MOST_DIMENSIONS];
  long strides[MOST_DIMENSIONS];
};

inline void bring(unsigned char* to, const TensorMap& map, const int (&at)[TensorMap::MOST_DIMENSIONS],
                  unsigned long long* gate) {
  if ((uintptr_t)to % 1024 != 0) {
    throw std::runtime_error("a tile is not aligned");
  }
  int rows = 1;
  for (int i = 1; i < map.rank; i++) {
    rows *= map.box[i];
  }
  int rowBytes = map.box[0] * 2;
  for (int row = 0; row < rows; row++) {
    bool there = true;
    long offset = 0;
    for (int i = 1, rest = row; i < map.rank; rest /= map.box[i], i++) {
      long index = at[i] + rest % map.box[i];
      there = there && index < map.sizes[i];
      offset += index * map.strides[i];
    }
    for (int k = 0; k < map.box[0]; k++) {
      uintptr_t place = (uintptr_t)to + row * rowBytes + k * 2;
      unsigned short element = 0;
      if (there && at[0] + k < map.sizes[0]) {
        memcpy(&element, map.address + offset + (at[0] + k) * 2l, 2);
      }
      memcpy((void*)(place ^ (place >> 7 & 7) << 4), &element, 2);
    }
  }
  ((Gate*)gate)->bytes -= rows * rowBytes;
  openIfComplete(*(Gate*)gate);
}

inline void bringTile(unsigned char* to, const TensorMap& map, int element, int row,
                      unsigned long long* gate) {
  bring(to, map, {element, row, 0, 0}, gate);
}

inline void bringTile(unsigned char* to, const TensorMap& map, int element, int second, int third,
                      int fourth, unsigned long long* gate) {
  bring(to, map, {element, second, third, fourth}, gate);
}

template <int BLOCKS>
inline void bringForAll(unsigned char* to, const TensorMap& map, int element, int row,
                        unsigned long long* gate) {
  for (int rank = 0; rank < BLOCKS; rank++) {
    bringTile((unsigned char*)emulator::inBlock(to, rank), map, element, row,
              (unsigned long long*)emulator::inBlock(gate, rank));
  }
}

template <int REGISTERS>
inline void giveRegisters() {}
template <int REGISTERS>
inline void takeRegisters() {}
