// Products with float32 weights, without tensor cores: nothing is rounded but sums. A warp has two
// outputs; its lanes go over a row's units with a stride of 32, eight fused multiply-adds a unit in
// the order of the elements, and their sums are added as a tree. So an output depends on its row of
// activations alone: not on the rows beside it, nor on how many of them a warp takes at once.
#define EXACT_WARPS 4
#define EXACT_OUTPUTS 2

struct Exact {
  const unsigned char* weights;
  long long rowBytes;
  const float* bias;
  const float* x;
  // [slice][row][output]: the first slice is the product, the others are zeros.
  float* y;
  long long sliceStride;
  int yStride;
  int inputs;
  int outputs;
  int rows;
  int slices;
};

// y[row][output] = x[row] * weights[output] + bias[output].
//
// AHEAD units are fetched before the first is used: more where few rows leave registers for them.
template <int ROWS, int AHEAD>
WEFT_DEVICE void exact(const Exact& p) {
  int lane = threadIdx.x % WARP;
  int output = (blockIdx.x * EXACT_WARPS + threadIdx.x / WARP) * EXACT_OUTPUTS;
  int firstRow = blockIdx.y * ROWS;
  letNextBegin();
  waitForPrevious();
  if (output >= p.outputs) {
    return;
  }
  const unsigned char* rowsOf[EXACT_OUTPUTS];
  const float* xs[ROWS];
  float sums[EXACT_OUTPUTS][ROWS];
#pragma unroll
  for (int o = 0; o < EXACT_OUTPUTS; o++) {
    // The last warp may have one output: it computes it twice.
    rowsOf[o] = p.weights + (output + o < p.outputs ? output + o : output) * p.rowBytes;
  }
#pragma unroll
  for (int row = 0; row < ROWS; row++) {
    xs[row] = p.x + (long long)(firstRow + row < p.rows ? firstRow + row : firstRow) * p.inputs;
#pragma unroll
    for (int o = 0; o < EXACT_OUTPUTS; o++) {
      sums[o][row] = 0;
    }
  }
  int units = p.inputs / 8;
  for (int first = lane; first < units; first += AHEAD * WARP) {
    F32::Raw raw[AHEAD][EXACT_OUTPUTS];
#pragma unroll
    for (int ahead = 0; ahead < AHEAD; ahead++) {
      int unit = first + ahead * WARP;
      if (unit < units) {
#pragma unroll
        for (int o = 0; o < EXACT_OUTPUTS; o++) {
          raw[ahead][o] = F32::load(rowsOf[o], unit);
        }
      }
    }
#pragma unroll
    for (int ahead = 0; ahead < AHEAD; ahead++) {
      int unit = first + ahead * WARP;
      if (unit < units) {
        float decoded[EXACT_OUTPUTS][8];
#pragma unroll
        for (int o = 0; o < EXACT_OUTPUTS; o++) {
          F32::decode(raw[ahead][o], unit, decoded[o]);
        }
#pragma unroll
        for (int row = 0; row < ROWS; row++) {
          const float4* with = (const float4*)(xs[row] + unit * 8);
          float4 left = with[0];
          float4 right = with[1];
#pragma unroll
          for (int o = 0; o < EXACT_OUTPUTS; o++) {
            sums[o][row] = added(sums[o][row], decoded[o], left, right);
          }
        }
      }
    }
  }
#pragma unroll
  for (int row = 0; row < ROWS; row++) {
#pragma unroll
    for (int o = 0; o < EXACT_OUTPUTS; o++) {
      float sum = warpSum(sums[o][row]);
      if (lane == 0 && output + o < p.outputs && firstRow + row < p.rows) {
        float* to = p.y + (long long)(firstRow + row) * p.yStride + output + o;
        *to = p.bias != 0 ? sum + p.bias[output + o] : sum;
        for (int slice = 1; slice < p.slices; slice++) {
          to[slice * p.sliceStride] = 0;
        }
      }
    }
  }
}

WEFT_KERNEL(EXACT_WARPS* WARP, product_f32_1, Exact p) {
  exact<1, 4>(p);
}

WEFT_KERNEL(EXACT_WARPS* WARP, product_f32_4, Exact p) {
  exact<4, 2>(p);
}

WEFT_KERNEL(EXACT_WARPS* WARP, product_f32_8, Exact p) {
  exact<8, 1>(p);
}
