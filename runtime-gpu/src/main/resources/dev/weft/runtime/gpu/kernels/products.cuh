// Products of weights and rows of bfloat16, with tensor cores. A block has M outputs and N rows: it
// brings tiles of weights, decoded to bfloat16 where they are anything else, and of rows to shared
// memory, some ahead of the one that it multiplies.
//
// The inputs are cut into slices, whose number follows from the weights' shape alone; a slice's sum
// runs over its inputs in order, 16 at a time, and slices are added in order by whoever reads them.
// So a row's result is the same beside any rows, in tiles of any size.
#define SLICE_UNIT 128
#define GROUP_TILES 8

struct Product {
  const unsigned char* weights;
  long long rowBytes;
  // One float32 an output, or null.
  const float* bias;
  // [row][input]
  const unsigned short* x;
  // [slice][row][output]
  float* y;
  // Where it is not null, the first half of the outputs are gates of the second: their activation
  // times it goes here, [row][half an output], and nothing to `y`.
  unsigned short* activated;
  // Floats from a slice to the next.
  long long sliceStride;
  int yStride;
  int inputs;
  int outputs;
  int rows;
  // A block has one of them where the grid is that deep, else all.
  int slices;
  int gelu;
};

// Which tiles of rows and of outputs one tile of a product is: neighbours in this order, which run at
// the same time, have few tiles of rows in common, and few of outputs.
WEFT_DEVICE void placeOf(int tile, int rowTiles, int outputTiles, int& rowTile, int& outputTile) {
  int first = tile / (GROUP_TILES * outputTiles) * GROUP_TILES;
  int within = tile % (GROUP_TILES * outputTiles);
  int tiles = rowTiles - first < GROUP_TILES ? rowTiles - first : GROUP_TILES;
  rowTile = first + within % tiles;
  outputTile = within / tiles;
}

// The output of a row of a tile of M. Of 16 that are activated, the last eight are those that the
// first eight are gates of.
WEFT_DEVICE int outputAt(const Product& p, int m, int outputTile, int row) {
  if (p.activated == 0) {
    return outputTile * m + row;
  }
  int output = outputTile * (m / 2) + row / 16 * 8 + row % 8;
  return row % 16 < 8 ? output : output + p.outputs / 2;
}

// How tiles come to shared memory: ROWS rows of DEPTH inputs, by THREADS threads, each of which has
// one unit of eight of EACH rows. What is behind the last unit or the last row is zeros.
template <int ROWS, int DEPTH, int THREADS>
struct Tile {
  static constexpr int CHUNKS = DEPTH / 8;
  static constexpr int STEP = THREADS / CHUNKS;
  static constexpr int EACH = ROWS / STEP;
  static constexpr int BYTES = ROWS * DEPTH * 2;
  static_assert(THREADS % CHUNKS == 0 && ROWS % STEP == 0, "threads share a tile evenly");
  // An address that is read, and where rows begin: null where there is none.
  const unsigned char* anywhere;
  const unsigned char* rows[EACH];

  static WEFT_DEVICE int row(int i) { return threadIdx.x / CHUNKS + i * STEP; }

  WEFT_DEVICE void copy(int tile, int units, unsigned char* to) const {
    int chunk = threadIdx.x % CHUNKS;
    int unit = tile * CHUNKS + chunk;
#pragma unroll
    for (int i = 0; i < EACH; i++) {
      bool there = unit < units && rows[i] != 0;
      copyAhead(to + chunkAt<CHUNKS>(row(i), chunk), there ? rows[i] + unit * 16ll : anywhere,
                there);
    }
  }
};

// Weights of a format that is decoded on the way: `load` begins with a tile, `store` ends it.
template <typename Format, int ROWS, int DEPTH, int THREADS>
struct WeightTile : Tile<ROWS, DEPTH, THREADS> {
  using Base = Tile<ROWS, DEPTH, THREADS>;
  static constexpr bool COPIED = false;
  typename Format::Raw raw[Base::EACH];

  WEFT_DEVICE void load(int tile, int units, unsigned char*) {
    int unit = tile * Base::CHUNKS + threadIdx.x % Base::CHUNKS;
#pragma unroll
    for (int i = 0; i < Base::EACH; i++) {
      if (unit < units && this->rows[i] != 0) {
        raw[i] = Format::load(this->rows[i], unit);
      }
    }
  }

  WEFT_DEVICE void store(int tile, int units, unsigned char* to) const {
    int unit = tile * Base::CHUNKS + threadIdx.x % Base::CHUNKS;
    int left = Format::left(unit) - tile * DEPTH;
    int right = Format::right(unit) - tile * DEPTH;
#pragma unroll
    for (int i = 0; i < Base::EACH; i++) {
      float decoded[8] = {0, 0, 0, 0, 0, 0, 0, 0};
      if (unit < units && this->rows[i] != 0) {
        Format::decode(raw[i], unit, decoded);
      }
      put(to, Base::row(i), left, decoded);
      put(to, Base::row(i), right, decoded + 4);
    }
  }

  static WEFT_DEVICE void put(unsigned char* to, int row, int element, const float* four) {
    uint2 packed;
    packed.x = toBfloats(four[0], four[1]);
    packed.y = toBfloats(four[2], four[3]);
    *(uint2*)(to + chunkAt<Base::CHUNKS>(row, element / 8) + element % 8 * 2) = packed;
  }
};

template <int ROWS, int DEPTH, int THREADS>
struct WeightTile<BF16, ROWS, DEPTH, THREADS> : Tile<ROWS, DEPTH, THREADS> {
  static constexpr bool COPIED = true;

  WEFT_DEVICE void load(int tile, int units, unsigned char* to) const {
    this->copy(tile, units, to);
  }

  WEFT_DEVICE void store(int, int, unsigned char*) const {}
};

// M_WARPS by N_WARPS warps have M_TILES of 16 outputs and N_TILES of 8 rows each; STAGES tiles of
// DEPTH inputs are in shared memory.
template <typename Format, int DEPTH, int M_WARPS, int N_WARPS, int M_TILES, int N_TILES, int STAGES>
struct ProductBlock {
  static constexpr int THREADS = M_WARPS * N_WARPS * WARP;
  static constexpr int M = M_WARPS * M_TILES * 16;
  static constexpr int N = N_WARPS * N_TILES * 8;
  static constexpr int CHUNKS = DEPTH / 8;
  using Weights = WeightTile<Format, M, DEPTH, THREADS>;
  // Threads that bring rows: a power of two.
  static constexpr int MOST_ROW_THREADS = THREADS >= 512 ? 512 : THREADS >= 256 ? 256 : 128;
  static constexpr int ROW_COPIERS = N * CHUNKS < MOST_ROW_THREADS ? N * CHUNKS : MOST_ROW_THREADS;
  using Rows = Tile<N, DEPTH, ROW_COPIERS>;
  static constexpr int STAGE_BYTES = Weights::BYTES + Rows::BYTES;
  // Floats of a row of sums in shared memory: what lanes write at once is in all banks.
  static constexpr int OUT_ROW = M + 4;
  static_assert(N * OUT_ROW * 4 <= STAGES * STAGE_BYTES, "sums take the tiles' places");

  const Product& p;
  unsigned char* shared;
  int rowTile;
  int outputTile;
  Weights weights;
  Rows rows;
  float sums[M_TILES][N_TILES][4];

  WEFT_DEVICE ProductBlock(const Product& product, unsigned char* memory)
      : p(product), shared(memory) {
    int block = blockIdx.y * gridDim.x + blockIdx.x;
    placeOf(block, gridDim.x, gridDim.y, rowTile, outputTile);
    weights.anywhere = p.weights;
#pragma unroll
    for (int i = 0; i < Weights::EACH; i++) {
      int output = outputOf(Weights::row(i));
      weights.rows[i] = output < p.outputs ? p.weights + output * p.rowBytes : 0;
    }
    rows.anywhere = p.weights;
#pragma unroll
    for (int i = 0; i < Rows::EACH; i++) {
      int row = rowTile * N + Rows::row(i);
      rows.rows[i] = row < p.rows ? (const unsigned char*)(p.x + (long long)row * p.inputs) : 0;
    }
  }

  WEFT_DEVICE int outputOf(int row) const { return outputAt(p, M, outputTile, row); }

  WEFT_DEVICE void copyRows(int tile, int units, unsigned char* to) const {
    if (threadIdx.x < ROW_COPIERS) {
      rows.copy(tile, units, to + Weights::BYTES);
    }
  }

  WEFT_DEVICE unsigned char* stage(int tile) const { return shared + tile % STAGES * STAGE_BYTES; }

  WEFT_DEVICE void multiply(const unsigned char* from) {
    int lane = threadIdx.x % WARP;
    int mRow = threadIdx.x / WARP % M_WARPS * (M_TILES * 16) + lane % 16;
    int nRow = threadIdx.x / WARP / M_WARPS * (N_TILES * 8);
    const unsigned char* x = from + Weights::BYTES;
    // Few rows leave registers to have all of a tile under way.
#pragma unroll(N_TILES == 1 ? CHUNKS / 4 : 1)
    for (int k = 0; k < CHUNKS; k += 4) {
      unsigned b[2][(N_TILES + 1) / 2][4];
      if (N_TILES == 1) {
        loadMatrices(b[0][0], x + chunkAt<CHUNKS>(nRow + lane % 8, k + lane / 8));
      } else {
#pragma unroll
        for (int n = 0; n < N_TILES / 2; n++) {
          int row = nRow + n * 16 + lane / 16 * 8 + lane % 8;
          loadMatrices(b[0][n], x + chunkAt<CHUNKS>(row, k + lane / 8 % 2));
          loadMatrices(b[1][n], x + chunkAt<CHUNKS>(row, k + 2 + lane / 8 % 2));
        }
      }
#pragma unroll
      for (int half = 0; half < 2; half++) {
#pragma unroll
        for (int m = 0; m < M_TILES; m++) {
          unsigned a[4];
          loadMatrices(a, from + chunkAt<CHUNKS>(mRow + m * 16, k + 2 * half + lane / 16));
          if (N_TILES == 1) {
            multiplyBfloats(sums[m][0], a, b[0][0][2 * half], b[0][0][2 * half + 1]);
          } else {
#pragma unroll
            for (int n = 0; n < N_TILES; n++) {
              const unsigned* pair = b[half][n / 2] + n % 2 * 2;
              multiplyBfloats(sums[m][n], a, pair[0], pair[1]);
            }
          }
        }
      }
    }
  }

  WEFT_DEVICE void clear() {
#pragma unroll
    for (int m = 0; m < M_TILES; m++) {
#pragma unroll
      for (int n = 0; n < N_TILES; n++) {
        sums[m][n][0] = sums[m][n][1] = sums[m][n][2] = sums[m][n][3] = 0;
      }
    }
  }

  // The bias is added to the first slice.
  WEFT_DEVICE void addBias() {
    int mRow = threadIdx.x / WARP % M_WARPS * (M_TILES * 16) + threadIdx.x % WARP / 4;
#pragma unroll
    for (int m = 0; m < M_TILES; m++) {
      int upper = outputOf(mRow + m * 16);
      int lower = outputOf(mRow + m * 16 + 8);
      float upperBias = upper < p.outputs ? p.bias[upper] : 0;
      float lowerBias = lower < p.outputs ? p.bias[lower] : 0;
#pragma unroll
      for (int n = 0; n < N_TILES; n++) {
        sums[m][n][0] = sums[m][n][0] + upperBias;
        sums[m][n][1] = sums[m][n][1] + upperBias;
        sums[m][n][2] = sums[m][n][2] + lowerBias;
        sums[m][n][3] = sums[m][n][3] + lowerBias;
      }
    }
  }

  // Adds up the inputs of tiles `first` to `end`. The weights of the first tiles may be on their way
  // already.
  WEFT_DEVICE void addUp(int first, int end, bool begun) {
    clear();
    int units = p.inputs / 8;
    if (!begun) {
      begin(first, end);
    }
    for (int tile = first; tile < first + STAGES - 1; tile++) {
      if (tile < end) {
        copyRows(tile, units, stage(tile));
      }
      endOfCopies();
    }
    if (!Weights::COPIED && first < end) {
      weights.store(first, units, stage(first));
    }
    for (int tile = first; tile < end; tile++) {
      int next = tile + STAGES - 1;
      if (Weights::COPIED) {
        waitForCopies<STAGES - 2>();
        __syncthreads();
        if (next < end) {
          weights.load(next, units, stage(next));
          copyRows(next, units, stage(next));
        }
        endOfCopies();
        multiply(stage(tile));
      } else {
        waitForCopies<STAGES - 2>();
        __syncthreads();
        if (next < end) {
          copyRows(next, units, stage(next));
        }
        endOfCopies();
        if (tile + 1 < end) {
          weights.load(tile + 1, units, 0);
        }
        multiply(stage(tile));
        if (tile + 1 < end) {
          weights.store(tile + 1, units, stage(tile + 1));
        }
      }
    }
    waitForCopies<0>();
    __syncthreads();
  }

  // Asks for the weights of the first tiles: they depend on no kernel.
  WEFT_DEVICE void begin(int first, int end) {
    int ahead = Weights::COPIED ? STAGES - 1 : 1;
    for (int tile = first; tile < first + ahead && tile < end; tile++) {
      weights.load(tile, p.inputs / 8, stage(tile));
    }
  }

  // Writes the sums, by way of shared memory, to where they go: or adds them to what is there.
  WEFT_DEVICE void put(int slice, bool add) {
    if (p.bias != 0 && slice == 0 && !add) {
      addBias();
    }
    putAll(slice, add);
  }

  WEFT_DEVICE void putAll(int slice, bool add) {
    int lane = threadIdx.x % WARP;
    int mRow = threadIdx.x / WARP % M_WARPS * (M_TILES * 16) + lane / 4;
    int nRow = threadIdx.x / WARP / M_WARPS * (N_TILES * 8) + lane % 4 * 2;
    float* out = (float*)shared;
#pragma unroll
    for (int m = 0; m < M_TILES; m++) {
#pragma unroll
      for (int n = 0; n < N_TILES; n++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
          out[(nRow + n * 8 + i % 2) * OUT_ROW + mRow + m * 16 + i / 2 * 8] = sums[m][n][i];
        }
      }
    }
    __syncthreads();
    int rows = p.rows - rowTile * N < N ? p.rows - rowTile * N : N;
    if (p.activated != 0) {
      putActivated(out, rows);
    } else if (p.outputs % 4 == 0 && p.yStride % 4 == 0) {
      putSums<4>(out, rows, slice, add);
    } else {
      putSums<1>(out, rows, slice, add);
    }
    __syncthreads();
  }

  template <int EACH>
  WEFT_DEVICE void putSums(const float* out, int rows, int slice, bool add) const {
    for (int i = threadIdx.x; i < rows * (M / EACH); i += THREADS) {
      int row = i / (M / EACH);
      int within = i % (M / EACH) * EACH;
      int output = outputTile * M + within;
      if (output < p.outputs) {
        float* to = p.y + slice * p.sliceStride + (long long)(rowTile * N + row) * p.yStride + output;
        float values[EACH];
#pragma unroll
        for (int j = 0; j < EACH; j++) {
          values[j] = out[row * OUT_ROW + within + j];
        }
        if (EACH == 4) {
          float4 four = {values[0], values[1 % EACH], values[2 % EACH], values[3 % EACH]};
          if (add) {
            float4 before = *(float4*)to;
            four = {before.x + four.x, before.y + four.y, before.z + four.z, before.w + four.w};
          }
          *(float4*)to = four;
        } else {
          *to = add ? *to + values[0] : values[0];
        }
      }
    }
  }

  WEFT_DEVICE void putActivated(const float* out, int rows) const {
    int half = p.outputs / 2;
    for (int i = threadIdx.x; i < rows * (M / 4); i += THREADS) {
      int row = i / (M / 4);
      int within = i % (M / 4) * 2;
      int output = outputTile * (M / 2) + within;
      float2 gates = *(const float2*)(out + row * OUT_ROW + within / 8 * 16 + within % 8);
      float2 ups = *(const float2*)(out + row * OUT_ROW + within / 8 * 16 + within % 8 + 8);
      unsigned both =
          toBfloats(activation(gates.x, p.gelu) * ups.x, activation(gates.y, p.gelu) * ups.y);
      unsigned short* to = p.activated + (long long)(rowTile * N + row) * half + output;
      if (output + 1 < half && half % 2 == 0) {
        *(unsigned*)to = both;
      } else if (output < half) {
        to[0] = (unsigned short)both;
        if (output + 1 < half) {
          to[1] = (unsigned short)(both >> 16);
        }
      }
    }
  }

  WEFT_DEVICE void run() {
    int tiles = (p.inputs + DEPTH - 1) / DEPTH;
    int units = (p.inputs + SLICE_UNIT - 1) / SLICE_UNIT;
    int each = (units + p.slices - 1) / p.slices * (SLICE_UNIT / DEPTH);
    bool one = gridDim.z == p.slices;
    int first = one ? blockIdx.z * each : 0;
    letNextBegin();
    begin(first, first + each < tiles ? first + each : tiles);
    waitForPrevious();
    if (one) {
      addUp(first, first + each < tiles ? first + each : tiles, true);
      put(blockIdx.z, false);
      return;
    }
    for (int slice = 0; slice < p.slices; slice++) {
      first = slice * each;
      addUp(first, first + each < tiles ? first + each : tiles, slice == 0);
      put(0, slice > 0);
    }
  }
};

#define WEFT_PRODUCT(Format, name, OUTPUTS, ROWS, DEPTH, M_WARPS, N_WARPS, M_TILES, N_TILES, \
                     STAGES)                                                                  \
  WEFT_KERNEL_BESIDE(M_WARPS* N_WARPS* WARP, 2, product_##name##_##OUTPUTS##_##ROWS, Product p) { \
    WEFT_DYNAMIC_SHARED(shared);                                                               \
    using Block = ProductBlock<Format, DEPTH, M_WARPS, N_WARPS, M_TILES, N_TILES, STAGES>;     \
    static_assert(Block::M == OUTPUTS && Block::N == ROWS, "a kernel is named by its tile");   \
    Block(p, shared).run();                                                                    \
  }

#define WEFT_PRODUCTS(Format, name)                         \
  WEFT_PRODUCT(Format, name, 64, 8, 128, 4, 1, 1, 1, 2)     \
  WEFT_PRODUCT(Format, name, 64, 32, 128, 4, 1, 1, 4, 2)    \
  WEFT_PRODUCT(Format, name, 64, 64, 128, 2, 2, 2, 4, 2)

#define WEFT_PRODUCTS_OF_BFLOATS                            \
  WEFT_PRODUCT(BF16, bf16, 64, 8, 128, 4, 1, 1, 1, 5)       \
  WEFT_PRODUCT(BF16, bf16, 96, 8, 128, 6, 1, 1, 1, 4)       \
  WEFT_PRODUCT(BF16, bf16, 64, 32, 128, 4, 1, 1, 4, 4)      \
  WEFT_PRODUCT(BF16, bf16, 64, 64, 128, 2, 2, 2, 4, 3)      \
  WEFT_PRODUCT(BF16, bf16, 128, 128, 64, 4, 2, 2, 8, 3)
