// Low-rank adapters: to a product of rows that have one, `B (scale * (A x))` is added, in float32.
// Rows of a step that have the same adapter are gathered into runs, whose rows read its matrices
// together; a row's sums are its own, each with one order, whatever runs it is in.

// Rows of a run.
#define RUN_ROWS 8
// Matrices that have the same input.
#define GROUP_MATRICES 3
#define SHRINK_WARPS 4
#define EXPAND_THREADS 64

// Types of an adapter's matrices.
#define TYPE_F32 0
#define TYPE_F16 1
#define TYPE_BF16 2

// What a matrix is changed by; a rank of 0 is not at all.
struct Change {
  // [rank][input]
  const unsigned char* a;
  // [rank][output]
  const unsigned char* b;
  int rank;
  int aType;
  int bType;
  float scale;
};

struct Adapter {
  // What A gives: [row][matrix of a group][rank], with room for the largest rank.
  float* inner;
  long long mostRank;
  // [layer][matrix], as many as there are.
  Change changes[1];
};

// Rows that have the same adapter; none where a run only fills the grid.
struct Run {
  const Adapter* adapter;
  int count;
  int rows[RUN_ROWS];
};

WEFT_DEVICE void loadUnit(int type, const unsigned char* row, int unit, float* to) {
  if (type == TYPE_F32) {
    F32::decode(F32::load(row, unit), unit, to);
  } else if (type == TYPE_F16) {
    F16::decode(F16::load(row, unit), unit, to);
  } else {
    BF16::decode(BF16::load(row, unit), unit, to);
  }
}

// Four elements from `index` on, a multiple of four.
WEFT_DEVICE float4 loadFour(int type, const unsigned char* from, long long index) {
  if (type == TYPE_F32) {
    return *(const float4*)(from + index * 4);
  }
  uint2 four = *(const uint2*)(from + index * 2);
  if (type == TYPE_F16) {
    return {lowHalf(four.x), highHalf(four.x), lowHalf(four.y), highHalf(four.y)};
  }
  return {bitsToFloat(four.x << 16), bitsToFloat(four.x & 0xffff0000u),
          bitsToFloat(four.y << 16), bitsToFloat(four.y & 0xffff0000u)};
}

// scale * A x: a warp has a rank of A and the rows of a run.
template <int ROWS>
WEFT_DEVICE void shrinkRows(const Run& run, const Change& change, const float* x, int inputs) {
  int lane = threadIdx.x % WARP;
  const Adapter& adapter = *run.adapter;
  const float4* xs[ROWS];
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    xs[r] = (const float4*)(x + (long long)run.rows[r < run.count ? r : 0] * inputs);
  }
  int elementBytes = change.aType == TYPE_F32 ? 4 : 2;
  for (int k = blockIdx.x * SHRINK_WARPS + threadIdx.x / WARP; k < change.rank;
       k += gridDim.x * SHRINK_WARPS) {
    const unsigned char* weights = change.a + (long long)k * inputs * elementBytes;
    float sums[ROWS];
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      sums[r] = 0;
    }
#pragma unroll 2
    for (int unit = lane; unit < inputs / 8; unit += WARP) {
      float decoded[8];
      loadUnit(change.aType, weights, unit, decoded);
#pragma unroll
      for (int r = 0; r < ROWS; r++) {
        sums[r] = added(sums[r], decoded, xs[r][2 * unit], xs[r][2 * unit + 1]);
      }
    }
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      float sum = warpSum(sums[r]);
      if (lane == 0 && r < run.count) {
        long long at = (long long)run.rows[r] * GROUP_MATRICES + blockIdx.z;
        adapter.inner[at * adapter.mostRank + k] = change.scale * sum;
      }
    }
  }
}

// Of each run and each matrix of a group, whose changes are `first` and those behind it.
WEFT_KERNEL(SHRINK_WARPS* WARP, shrink, const Run* runs, int first, const float* x, int inputs) {
  letNextBegin();
  waitForPrevious();
  const Run& run = runs[blockIdx.y];
  if (run.count == 0) {
    return;
  }
  const Change& change = run.adapter->changes[first + blockIdx.z];
  if (run.count == 1) {
    shrinkRows<1>(run, change, x, inputs);
  } else {
    shrinkRows<RUN_ROWS>(run, change, x, inputs);
  }
}

// What the products of a group's matrices gave: of each row the outputs of one after those of the
// other.
struct Expanded {
  float* sums;
  long long stride;
  int slices;
  int outputs;
  int widths[GROUP_MATRICES];
};

// Adds B's products: a thread has four outputs of the rows of a run. A row's slices are added before,
// in order, and become one and zeros, so that its sums are the same however many slices there are.
template <int ROWS>
WEFT_DEVICE void expandRows(const Run& run, const Change& change, const Expanded& y, int output,
                            int from) {
  const Adapter& adapter = *run.adapter;
  const float* inner[ROWS];
  float4 sums[ROWS];
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    long long row = run.rows[r < run.count ? r : 0];
    inner[r] = adapter.inner + (row * GROUP_MATRICES + blockIdx.z) * adapter.mostRank;
    sums[r] = {0, 0, 0, 0};
  }
  int width = y.widths[blockIdx.z];
#pragma unroll 4
  for (int k = 0; k < change.rank; k++) {
    float4 b = loadFour(change.bType, change.b, (long long)k * width + output);
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      float with = inner[r][k];
      sums[r].x = fmaf(b.x, with, sums[r].x);
      sums[r].y = fmaf(b.y, with, sums[r].y);
      sums[r].z = fmaf(b.z, with, sums[r].z);
      sums[r].w = fmaf(b.w, with, sums[r].w);
    }
  }
  Slices slices = {y.sums, y.slices, y.stride};
  float4 none = {0, 0, 0, 0};
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    if (r < run.count) {
      long long at = (long long)run.rows[r] * y.outputs + from + output;
      float4 total = slices.fourAt(at);
      total.x = total.x + sums[r].x;
      total.y = total.y + sums[r].y;
      total.z = total.z + sums[r].z;
      total.w = total.w + sums[r].w;
      *(float4*)(y.sums + at) = total;
      for (int slice = 1; slice < y.slices; slice++) {
        *(float4*)(y.sums + at + slice * y.stride) = none;
      }
    }
  }
}

WEFT_KERNEL(EXPAND_THREADS, expand, const Run* runs, int first, Expanded y) {
  letNextBegin();
  waitForPrevious();
  const Run& run = runs[blockIdx.y];
  int matrix = blockIdx.z;
  int output = (blockIdx.x * EXPAND_THREADS + threadIdx.x) * 4;
  if (run.count == 0 || output >= y.widths[matrix]) {
    return;
  }
  const Change& change = run.adapter->changes[first + matrix];
  if (change.rank == 0) {
    return;
  }
  int from = 0;
  for (int before = 0; before < matrix; before++) {
    from += y.widths[before];
  }
  if (run.count == 1) {
    expandRows<1>(run, change, y, output, from);
  } else {
    expandRows<RUN_ROWS>(run, change, y, output, from);
  }
}
