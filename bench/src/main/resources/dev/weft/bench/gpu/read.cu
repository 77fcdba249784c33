// Adds up all words of a buffer: the device's memory is read once, and nothing else is done.
// Each thread asks for several vectors of 16 bytes before it needs the first.
template <int EACH>
__device__ void add(const uint4* data, unsigned* sum, long vectors) {
  unsigned total = 0;
  const long stride = (long)gridDim.x * blockDim.x;
  long at = (long)blockIdx.x * blockDim.x + threadIdx.x;
  for (; at + (EACH - 1) * stride < vectors; at += EACH * stride) {
    uint4 read[EACH];
#pragma unroll
    for (int i = 0; i < EACH; i++) {
      read[i] = __ldcs(data + at + i * stride);
    }
#pragma unroll
    for (int i = 0; i < EACH; i++) {
      total += read[i].x + read[i].y + read[i].z + read[i].w;
    }
  }
  for (; at < vectors; at += stride) {
    uint4 one = __ldcs(data + at);
    total += one.x + one.y + one.z + one.w;
  }
  for (int other = 16; other > 0; other /= 2) {
    total += __shfl_xor_sync(0xffffffffu, total, other);
  }
  if (threadIdx.x % 32 == 0) {
    atomicAdd(sum, total);
  }
}

extern "C" __global__ void read4(const uint4* data, unsigned* sum, long vectors) {
  add<4>(data, sum, vectors);
}

extern "C" __global__ void read8(const uint4* data, unsigned* sum, long vectors) {
  add<8>(data, sum, vectors);
}

extern "C" __global__ void read16(const uint4* data, unsigned* sum, long vectors) {
  add<16>(data, sum, vectors);
}
