// Products with weights. A warp has two outputs; its lanes go over a row's units with a stride of
// 32, eight fused multiply-adds a unit in the order of the elements, and their sums are added as a
// tree. So an output depends on its row of activations alone: not on the rows beside it, nor on how
// many of them a warp takes at once.
#define PRODUCT_WARPS 4
#define PRODUCT_OUTPUTS 2

WEFT_DEVICE float added(float sum, const float* weights, float4 left, float4 right) {
  sum = fmaf(weights[0], left.x, sum);
  sum = fmaf(weights[1], left.y, sum);
  sum = fmaf(weights[2], left.z, sum);
  sum = fmaf(weights[3], left.w, sum);
  sum = fmaf(weights[4], right.x, sum);
  sum = fmaf(weights[5], right.y, sum);
  sum = fmaf(weights[6], right.z, sum);
  return fmaf(weights[7], right.w, sum);
}

// y[row][output] = x[row] * weights[output] + bias[output], or added to what is there.
//
// AHEAD units are fetched before the first is used: more where few rows leave registers for them.
template <typename Format, int ROWS, int AHEAD>
WEFT_DEVICE void product(const unsigned char* __restrict__ weights, long long rowBytes,
                         const float* __restrict__ bias, const float* __restrict__ x, int xStride,
                         float* y, int yStride, int inputs, int outputs, int rows, int add) {
  int lane = threadIdx.x % WARP;
  int output = (blockIdx.x * PRODUCT_WARPS + threadIdx.x / WARP) * PRODUCT_OUTPUTS;
  if (output >= outputs) {
    return;
  }
  int firstRow = blockIdx.y * ROWS;
  const unsigned char* rowsOf[PRODUCT_OUTPUTS];
  const float* xs[ROWS];
  float sums[PRODUCT_OUTPUTS][ROWS];
#pragma unroll
  for (int o = 0; o < PRODUCT_OUTPUTS; o++) {
    // The last warp may have one output: it computes it twice.
    rowsOf[o] = weights + (output + o < outputs ? output + o : output) * rowBytes;
  }
#pragma unroll
  for (int row = 0; row < ROWS; row++) {
    xs[row] = x + (long long)(firstRow + row < rows ? firstRow + row : firstRow) * xStride;
#pragma unroll
    for (int o = 0; o < PRODUCT_OUTPUTS; o++) {
      sums[o][row] = 0;
    }
  }
  int units = inputs / 8;
  for (int first = lane; first < units; first += AHEAD * WARP) {
    typename Format::Raw raw[AHEAD][PRODUCT_OUTPUTS];
#pragma unroll
    for (int ahead = 0; ahead < AHEAD; ahead++) {
      int unit = first + ahead * WARP;
      if (unit < units) {
#pragma unroll
        for (int o = 0; o < PRODUCT_OUTPUTS; o++) {
          raw[ahead][o] = Format::load(rowsOf[o], unit);
        }
      }
    }
#pragma unroll
    for (int ahead = 0; ahead < AHEAD; ahead++) {
      int unit = first + ahead * WARP;
      if (unit < units) {
        float decoded[PRODUCT_OUTPUTS][8];
#pragma unroll
        for (int o = 0; o < PRODUCT_OUTPUTS; o++) {
          Format::decode(raw[ahead][o], unit, decoded[o]);
        }
#pragma unroll
        for (int row = 0; row < ROWS; row++) {
          float4 left = *(const float4*)(xs[row] + Format::left(unit));
          float4 right = *(const float4*)(xs[row] + Format::right(unit));
#pragma unroll
          for (int o = 0; o < PRODUCT_OUTPUTS; o++) {
            sums[o][row] = added(sums[o][row], decoded[o], left, right);
          }
        }
      }
    }
  }
#pragma unroll
  for (int row = 0; row < ROWS; row++) {
#pragma unroll
    for (int o = 0; o < PRODUCT_OUTPUTS; o++) {
      float sum = warpSum(sums[o][row]);
      if (lane == 0 && output + o < outputs && firstRow + row < rows) {
        float* to = y + (long long)(firstRow + row) * yStride + output + o;
        if (bias != 0) {
          sum = sum + bias[output + o];
        }
        *to = add ? *to + sum : sum;
      }
    }
  }
}

#define WEFT_PRODUCT(Format, name, ROWS)                                                          \
  WEFT_KERNEL(PRODUCT_WARPS* WARP, product_##name##_##ROWS, const unsigned char* weights,         \
              long long rowBytes, const float* bias, const float* x, int xStride, float* y,       \
              int yStride, int inputs, int outputs, int rows, int add) {                          \
    product<Format, ROWS, (ROWS <= 2 ? 4 : 8 / ROWS)>(weights, rowBytes, bias, x, xStride, y, yStride, inputs, outputs, rows, \
                          add);                                                                   \
  }

#define WEFT_PRODUCTS(Format, name) \
  WEFT_PRODUCT(Format, name, 1) WEFT_PRODUCT(Format, name, 2) WEFT_PRODUCT(Format, name, 4) \
  WEFT_PRODUCT(Format, name, 8)

WEFT_FORMATS(WEFT_PRODUCTS)
