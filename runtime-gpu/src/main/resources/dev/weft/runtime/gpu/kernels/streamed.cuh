// Products of bfloat16 of many rows by Hopper's `wgmma`: two warpgroups of four warps multiply 64
// outputs each with ROWS rows, while a thread of a third has the copy engine bring tiles, for one
// tile of outputs after the other: what is multiplied next is there already while sums are written.
// The blocks of a cluster multiply the same rows with outputs next to each other, and each brings a
// part of the rows for all. The sums are those of products.cuh, in the same order.

// Blocks that share rows.
#define CLUSTER 2

template <int ROWS, int STAGES, bool SLICED>
struct StreamedProduct {
  static constexpr int OUTPUTS = 128;
  static constexpr int MULTIPLIERS = 256;
  static constexpr int WEIGHT_BYTES = OUTPUTS * 128;
  static constexpr int STAGE_BYTES = (OUTPUTS + ROWS) * 128;
  // Rows that a block brings for its cluster.
  static constexpr int PART = ROWS / CLUSTER;
  static_assert(PART % 8 == 0, "rows lie in eights");

  const Product& p;
  const TensorMap& weights;
  const TensorMap& x;
  unsigned char* shared;
  // Open when a stage is there, and when all blocks of the cluster have multiplied it.
  unsigned long long* full;
  unsigned long long* free;
  int rank = rankOfBlock();
  int rowTiles;
  // Tiles of outputs, as many together as a cluster has blocks.
  int outputTiles;
  int stage = 0;
  // How often all stages have been gone through.
  int round = 0;

  WEFT_DEVICE StreamedProduct(const Product& product, const TensorMap& weightMap,
                              const TensorMap& xMap, unsigned char* memory)
      : p(product), weights(weightMap), x(xMap), shared(memory) {
    full = (unsigned long long*)(memory + STAGES * STAGE_BYTES);
    free = full + STAGES;
    rowTiles = (p.rows + ROWS - 1) / ROWS;
    outputTiles = (p.outputs + CLUSTER * OUTPUTS - 1) / (CLUSTER * OUTPUTS);
  }

  // Calls `work` with each of the block's tiles.
  template <typename Work>
  WEFT_DEVICE void eachTile(Work work) {
    int clusters = gridDim.x / CLUSTER;
    for (int tile = blockIdx.x / CLUSTER; tile < rowTiles * outputTiles; tile += clusters) {
      int rowTile, outputTile;
      placeOf(tile, rowTiles, outputTiles, rowTile, outputTile);
      work(rowTile, outputTile * CLUSTER + rank);
    }
  }

  WEFT_DEVICE void nextStage() {
    if (++stage == STAGES) {
      stage = 0;
      round++;
    }
  }

  WEFT_DEVICE void bring() {
    int depth = (p.inputs + 63) / 64;
    eachTile([&](int rowTile, int outputTile) {
      for (int i = 0; i < depth; i++) {
        waitAt(free + stage, round + 1);
        expectAt(full + stage, STAGE_BYTES);
        unsigned char* to = shared + stage * STAGE_BYTES;
        if (p.activated != 0) {
          // Gates and what they are gates of take turns of eight.
          bringTile(to, weights, i * 64, 0, 0, outputTile * (OUTPUTS / 16), full + stage);
        } else {
          bringTile(to, weights, i * 64, outputTile * OUTPUTS, full + stage);
        }
        bringForAll<CLUSTER>(to + WEIGHT_BYTES + rank * PART * 128, x, i * 64,
                             rowTile * ROWS + rank * PART, full + stage);
        nextStage();
      }
    });
  }

  WEFT_DEVICE void multiply() {
    int depth = (p.inputs + 63) / 64;
    int units = (p.inputs + SLICE_UNIT - 1) / SLICE_UNIT;
    int each = (units + p.slices - 1) / p.slices * (SLICE_UNIT / 64);
    float sums[ROWS / 8][4];
    eachTile([&](int rowTile, int outputTile) {
      if (SLICED) {
        float total[ROWS / 8][4];
        for (int slice = 0; slice < p.slices; slice++) {
          int left = depth - slice * each;
          addUp(sums, left < each ? left : each);
          if (slice == 0) {
            addBias(sums, outputTile);
          }
#pragma unroll
          for (int n = 0; n < ROWS / 8; n++) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
              total[n][i] = slice == 0 ? sums[n][i] : total[n][i] + sums[n][i];
            }
          }
        }
        put(total, rowTile, outputTile);
      } else {
        addUp(sums, depth);
        addBias(sums, outputTile);
        put(sums, rowTile, outputTile);
      }
    });
  }

  // The sums of so many stages, or of none.
  WEFT_DEVICE void addUp(float (&sums)[ROWS / 8][4], int count) {
#pragma unroll
    for (int n = 0; n < ROWS / 8; n++) {
      sums[n][0] = sums[n][1] = sums[n][2] = sums[n][3] = 0;
    }
    int before = stage;
    for (int i = 0; i < count; i++) {
      waitAt(full + stage, round);
      const unsigned char* from = shared + stage * STAGE_BYTES;
      unsigned long long a = matrixAt(from + threadIdx.x / 128 * (64 * 128));
      unsigned long long b = matrixAt(from + WEIGHT_BYTES);
      beginWide();
#pragma unroll
      for (int k = 0; k < 4; k++) {
        // 32 bytes further, in sixteens.
        multiplyWide(sums, a + 2 * k, b + 2 * k);
      }
      endWide();
      waitForWide<1>();
      if (i > 0) {
        release(before);
      }
      before = stage;
      nextStage();
    }
    waitForWide<0>();
    if (count > 0) {
      release(before);
    }
  }

  WEFT_DEVICE void release(int multiplied) {
    warpBarrier();
    if (threadIdx.x % WARP < CLUSTER) {
      arriveAtBlock(free + multiplied, threadIdx.x % WARP);
    }
  }

  // The first of a thread's outputs of a tile: the other is eight further.
  static WEFT_DEVICE int upper() { return threadIdx.x / WARP * 16 + threadIdx.x % WARP / 4; }

  WEFT_DEVICE void addBias(float (&sums)[ROWS / 8][4], int outputTile) const {
    if (p.bias == 0) {
      return;
    }
    int first = outputAt(p, OUTPUTS, outputTile, upper());
    int second = outputAt(p, OUTPUTS, outputTile, upper() + 8);
    float firstBias = first < p.outputs ? p.bias[first] : 0;
    float secondBias = second < p.outputs ? p.bias[second] : 0;
#pragma unroll
    for (int n = 0; n < ROWS / 8; n++) {
      sums[n][0] = sums[n][0] + firstBias;
      sums[n][1] = sums[n][1] + firstBias;
      sums[n][2] = sums[n][2] + secondBias;
      sums[n][3] = sums[n][3] + secondBias;
    }
  }

  WEFT_DEVICE void put(const float (&sums)[ROWS / 8][4], int rowTile, int outputTile) const {
    int row = rowTile * ROWS + threadIdx.x % 4 * 2;
    int output = outputAt(p, OUTPUTS, outputTile, upper());
    if (p.activated != 0) {
      putActivated(sums, row, output);
      return;
    }
    float* to = p.y + (long long)row * p.yStride + output;
#pragma unroll
    for (int n = 0; n < ROWS / 8; n++) {
#pragma unroll
      for (int i = 0; i < 4; i++) {
        if (row + n * 8 + i % 2 < p.rows && output + i / 2 * 8 < p.outputs) {
          to[i % 2 * p.yStride + i / 2 * 8] = sums[n][i];
        }
      }
      to += 8 * p.yStride;
    }
  }

  WEFT_DEVICE void putActivated(const float (&sums)[ROWS / 8][4], int row, int output) const {
    int half = p.outputs / 2;
    unsigned short* to = p.activated + (long long)row * half + output;
#pragma unroll
    for (int n = 0; n < ROWS / 8; n++) {
      unsigned both = toBfloats(activation(sums[n][0], p.gelu) * sums[n][2],
                                activation(sums[n][1], p.gelu) * sums[n][3]);
      if (row + n * 8 < p.rows && output < half) {
        to[0] = (unsigned short)both;
      }
      if (row + n * 8 + 1 < p.rows && output < half) {
        to[half] = (unsigned short)(both >> 16);
      }
      to += 8 * half;
    }
  }

  WEFT_DEVICE void run() {
    if (threadIdx.x == 0) {
      for (int i = 0; i < STAGES; i++) {
        makeGate(full + i, 1);
        makeGate(free + i, MULTIPLIERS / WARP * CLUSTER);
      }
      showGates();
    }
    barrierOfBlocks();
    letNextBegin();
    waitForPrevious();
    if (threadIdx.x >= MULTIPLIERS) {
      giveRegisters<40>();
      if (threadIdx.x == MULTIPLIERS) {
        bring();
      }
    } else {
      takeRegisters<232>();
      multiply();
    }
    // Another block may still bring to this one, or arrive at its gates.
    barrierOfBlocks();
  }
};

#define WEFT_STREAMED_PRODUCT(ROWS, STAGES, SLICED)                                             \
  WEFT_KERNEL_TOGETHER(384, CLUSTER, streamed_product_##ROWS, Product p,                                 \
                      const __grid_constant__ TensorMap weights,                                \
                      const __grid_constant__ TensorMap x) {                                    \
    WEFT_DYNAMIC_SHARED(shared);                                                                \
    StreamedProduct<ROWS, STAGES, SLICED>(p, weights, x, shared).run();                         \
  }

#define WEFT_STREAMED_PRODUCTS_128 WEFT_STREAMED_PRODUCT(128, 6, true)

#define WEFT_STREAMED_PRODUCTS_192 WEFT_STREAMED_PRODUCT(192, 5, true)

#define WEFT_STREAMED_PRODUCTS_256 WEFT_STREAMED_PRODUCT(256, 4, false)
