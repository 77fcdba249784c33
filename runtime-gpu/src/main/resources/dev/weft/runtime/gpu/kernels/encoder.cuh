// What an encoder's pass does beside products, attention and what decoders have too. Texts lie one
// after the other, a row a token. A row is normalized after each part of a layer, and is then both
// the state that the next part adds to and its input.

// Elements that a thread of `normalize_states` holds, in fours.
#define STATE_FOURS 8

// The sum over the block's threads, in every thread, always added in the same order. `partial` has
// a place for each warp, and is used once.
WEFT_DEVICE float blockSum(float value, float* partial) {
  value = warpSum(value);
  if (threadIdx.x % WARP == 0) {
    partial[threadIdx.x / WARP] = value;
  }
  __syncthreads();
  float total = 0;
  for (int i = 0; i < ROW_THREADS / WARP; i++) {
    total = total + partial[i];
  }
  return total;
}

// Adds to a state what a projection gave for it, and normalizes it by its mean and its variance
// (LayerNorm), in place.
WEFT_KERNEL(ROW_THREADS, normalize_states, Activations states, Slices added, const float* weight,
            const float* bias, int width, float epsilon) {
  __shared__ float sums[ROW_THREADS / WARP];
  __shared__ float squares[ROW_THREADS / WARP];
  letNextBegin();
  waitForPrevious();
  int fours = width / 4;
  long long from = (long long)blockIdx.x * width;
  float4 all[STATE_FOURS];
  float sum = 0;
#pragma unroll
  for (int j = 0; j < STATE_FOURS; j++) {
    int four = threadIdx.x + j * ROW_THREADS;
    if (four < fours) {
      float4 own = *(const float4*)(states.exact + from + four * 4);
      float4 more = added.fourAt(from + four * 4);
      own.x = own.x + more.x;
      own.y = own.y + more.y;
      own.z = own.z + more.z;
      own.w = own.w + more.w;
      sum = sum + own.x + own.y + own.z + own.w;
      all[j] = own;
    }
  }
  float mean = blockSum(sum, sums) / width;
  float square = 0;
#pragma unroll
  for (int j = 0; j < STATE_FOURS; j++) {
    if (threadIdx.x + j * ROW_THREADS < fours) {
      all[j].x = all[j].x - mean;
      all[j].y = all[j].y - mean;
      all[j].z = all[j].z - mean;
      all[j].w = all[j].w - mean;
      square = fmaf(all[j].x, all[j].x, square);
      square = fmaf(all[j].y, all[j].y, square);
      square = fmaf(all[j].z, all[j].z, square);
      square = fmaf(all[j].w, all[j].w, square);
    }
  }
  float scale = 1 / sqrtf(blockSum(square, squares) / width + epsilon);
#pragma unroll
  for (int j = 0; j < STATE_FOURS; j++) {
    int four = threadIdx.x + j * ROW_THREADS;
    if (four < fours) {
      float4 weights = *(const float4*)(weight + four * 4);
      float4 biases = *(const float4*)(bias + four * 4);
      float4 scaled;
      scaled.x = all[j].x * scale * weights.x + biases.x;
      scaled.y = all[j].y * scale * weights.y + biases.y;
      scaled.z = all[j].z * scale * weights.z + biases.z;
      scaled.w = all[j].w * scale * weights.w + biases.w;
      states.putFour(from + four * 4, scaled);
    }
  }
}

// GELU by the normal distribution itself.
WEFT_KERNEL(ROW_THREADS, gelu, Slices x, Activations to, int width) {
  int i = blockIdx.y * ROW_THREADS + threadIdx.x;
  letNextBegin();
  waitForPrevious();
  if (i < width) {
    long long at = (long long)blockIdx.x * width + i;
    float value = x.at(at);
    to.put(at, 0.5f * value * (1 + erff(value * 0.70710678f)));
  }
}

// The vector of each text: the mean of its states, or the first one, scaled to length 1 where that
// is wanted. `firstRows` has an end behind the last text.
WEFT_KERNEL(ROW_THREADS, pool, const float* states, const int* firstRows, float* to, int width,
            int mean, int normalized) {
  __shared__ float squares[ROW_THREADS / WARP];
  letNextBegin();
  waitForPrevious();
  int first = firstRows[blockIdx.x];
  int end = mean ? firstRows[blockIdx.x + 1] : first + 1;
  float* vector = to + (long long)blockIdx.x * width;
  float square = 0;
  for (int i = threadIdx.x; i < width; i += ROW_THREADS) {
    double sum = 0;
    for (int row = first; row < end; row++) {
      sum = sum + states[(long long)row * width + i];
    }
    float element = (float)(sum / (end - first));
    vector[i] = element;
    square = fmaf(element, element, square);
  }
  float length = fmaxf(sqrtf(blockSum(square, squares)), 1e-12f);
  if (normalized) {
    for (int i = threadIdx.x; i < width; i += ROW_THREADS) {
      vector[i] = vector[i] / length;
    }
  }
}
