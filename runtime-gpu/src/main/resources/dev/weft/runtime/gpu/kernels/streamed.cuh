// Products of bfloat16 of many rows by Hopper's `wgmma`: two warpgroups of four warps multiply 64
// outputs each with ROWS rows, while a third brings tiles, for one tile of outputs after the other:
// what is multiplied next is there already while sums are written. The sums are those of
// products.cuh, in the same order.
template <int ROWS, int STAGES, bool SLICED>
struct StreamedProduct {
  static constexpr int OUTPUTS = 128;
  static constexpr int MULTIPLIERS = 256;
  static constexpr int BRINGERS = 128;
  static constexpr int WEIGHT_BYTES = OUTPUTS * 128;
  static constexpr int STAGE_BYTES = (OUTPUTS + ROWS) * 128;
  // Tiles of a bringing thread that are on their way at the same time.
  static constexpr int AHEAD = 2;
  // Rows of 128 bytes from one that a thread brings to its next.
  static constexpr int STEP = BRINGERS / 8;
  static_assert(STAGES >= AHEAD + 2, "of two stages one is multiplied and one was just before");

  const Product& p;
  unsigned char* shared;
  // Open when a stage is there, and when it has been multiplied.
  unsigned long long* full;
  unsigned long long* free;
  int rowTiles;
  int outputTiles;
  int stage = 0;
  // How often all stages have been gone through.
  int round = 0;

  WEFT_DEVICE StreamedProduct(const Product& product, unsigned char* memory)
      : p(product), shared(memory) {
    full = (unsigned long long*)(memory + STAGES * STAGE_BYTES);
    free = full + STAGES;
    rowTiles = (p.rows + ROWS - 1) / ROWS;
    outputTiles = (p.outputs + OUTPUTS - 1) / OUTPUTS;
  }

  WEFT_DEVICE void nextStage() {
    if (++stage == STAGES) {
      stage = 0;
      round++;
    }
  }

  WEFT_DEVICE void bring() {
    int chunk = threadIdx.x % 8;
    int row = (threadIdx.x - MULTIPLIERS) / 8;
    // Gates and what they are gates of take turns of eight.
    int outputStep = p.activated != 0 ? STEP / 2 : STEP;
    int outputEnd = p.activated != 0 && row < 8 ? p.outputs / 2 : p.outputs;
    long long weightStep = p.rowBytes * outputStep;
    long long xStep = (long long)p.inputs * 2 * STEP;
    int units = p.inputs / 8;
    int begun = 0;
    for (int tile = blockIdx.x; tile < rowTiles * outputTiles; tile += gridDim.x) {
      int rowTile, outputTile;
      placeOf(tile, rowTiles, outputTiles, rowTile, outputTile);
      int output = outputAt(p, OUTPUTS, outputTile, row);
      int outputsThere = (outputEnd - output + outputStep - 1) / outputStep;
      int rowsThere = (p.rows - rowTile * ROWS - row + STEP - 1) / STEP;
      const unsigned char* weights = p.weights + output * p.rowBytes + chunk * 16;
      const unsigned char* x =
          (const unsigned char*)(p.x + (long long)(rowTile * ROWS + row) * p.inputs) + chunk * 16;
      for (int first = 0; first < units; first += 8) {
        waitAt(free + stage, round + 1);
        unsigned char* to = shared + stage * STAGE_BYTES + chunkAt<8>(row, chunk);
        bool inside = first + chunk < units;
#pragma unroll
        for (int i = 0; i < OUTPUTS / STEP; i++) {
          bool there = inside && i < outputsThere;
          copyAhead(to + i * STEP * 128, there ? weights + i * weightStep : p.weights, there);
        }
#pragma unroll
        for (int i = 0; i < ROWS / STEP; i++) {
          bool there = inside && i < rowsThere;
          copyAhead(to + WEIGHT_BYTES + i * STEP * 128, there ? x + i * xStep : p.weights, there);
        }
        endOfCopies();
        weights += 128;
        x += 128;
        if (++begun > AHEAD) {
          waitForCopies<AHEAD>();
          showToTensorCores();
          arriveAt(full + (stage + STAGES - AHEAD) % STAGES);
        }
        nextStage();
      }
    }
    waitForCopies<0>();
    showToTensorCores();
    for (int late = begun < AHEAD ? begun : AHEAD; late > 0; late--) {
      arriveAt(full + (stage + STAGES - late) % STAGES);
    }
  }

  WEFT_DEVICE void multiply() {
    int depth = (p.inputs + 63) / 64;
    int units = (p.inputs + SLICE_UNIT - 1) / SLICE_UNIT;
    int each = (units + p.slices - 1) / p.slices * (SLICE_UNIT / 64);
    float sums[ROWS / 8][4];
    for (int tile = blockIdx.x; tile < rowTiles * outputTiles; tile += gridDim.x) {
      int rowTile, outputTile;
      placeOf(tile, rowTiles, outputTiles, rowTile, outputTile);
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
    }
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
    if (threadIdx.x % WARP == 0) {
      arriveAt(free + multiplied);
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
        makeGate(full + i, BRINGERS);
        makeGate(free + i, MULTIPLIERS / WARP);
      }
    }
    __syncthreads();
    letNextBegin();
    waitForPrevious();
    if (threadIdx.x >= MULTIPLIERS) {
      giveRegisters<40>();
      bring();
    } else {
      takeRegisters<232>();
      multiply();
    }
  }
};

#define WEFT_STREAMED_PRODUCT(ROWS, STAGES, SLICED)                    \
  WEFT_KERNEL_BESIDE(384, 1, streamed_product_##ROWS, Product p) {     \
    WEFT_DYNAMIC_SHARED(shared);                                       \
    StreamedProduct<ROWS, STAGES, SLICED>(p, shared).run();            \
  }

#define WEFT_STREAMED_PRODUCTS_128 WEFT_STREAMED_PRODUCT(128, 6, true)

#define WEFT_STREAMED_PRODUCTS_192 WEFT_STREAMED_PRODUCT(192, 5, true)

#define WEFT_STREAMED_PRODUCTS_256 WEFT_STREAMED_PRODUCT(256, 4, false)
