// What a decoder's step does beside products. Rows of a step lie one after the other; `positions`
// and `sequences` say whose they are.

#define NORM_THREADS 512

// Adds to rows what a projection gave for them, and normalizes them (RMSNorm). With `chosen` these
// are the rows that it names, and the sums are not kept. A thread holds FOURS times four elements.
template <int FOURS>
WEFT_DEVICE void normalizeRows(float* residual, const Slices& added, const int* chosen,
                               const float* weight, const Activations& to, int rows, int width,
                               float epsilon) {
  // What warps found of a row: of the next one while some still read it.
  __shared__ float partial[2][NORM_THREADS / WARP];
  int fours = width / 4;
  letNextBegin();
  float4 weights[FOURS];
#pragma unroll
  for (int j = 0; j < FOURS; j++) {
    int four = threadIdx.x + j * NORM_THREADS;
    if (four < fours) {
      weights[j] = *(const float4*)(weight + four * 4);
    }
  }
  waitForPrevious();
  int turn = 0;
  for (int i = blockIdx.x; i < rows; i += gridDim.x, turn ^= 1) {
    long long from = (long long)(chosen != 0 ? chosen[i] : i) * width;
    float4 all[FOURS];
    float squares = 0;
#pragma unroll
    for (int j = 0; j < FOURS; j++) {
      int four = threadIdx.x + j * NORM_THREADS;
      if (four < fours) {
        float4 sum = *(const float4*)(residual + from + four * 4);
        if (added.count > 0) {
          float4 more = added.fourAt(from + four * 4);
          sum.x = sum.x + more.x;
          sum.y = sum.y + more.y;
          sum.z = sum.z + more.z;
          sum.w = sum.w + more.w;
          if (chosen == 0) {
            *(float4*)(residual + from + four * 4) = sum;
          }
        }
        squares = fmaf(sum.x, sum.x, squares);
        squares = fmaf(sum.y, sum.y, squares);
        squares = fmaf(sum.z, sum.z, squares);
        squares = fmaf(sum.w, sum.w, squares);
        all[j] = sum;
      }
    }
    squares = warpSum(squares);
    if (threadIdx.x % WARP == 0) {
      partial[turn][threadIdx.x / WARP] = squares;
    }
    __syncthreads();
    float total = 0;
    for (int warp = 0; warp < NORM_THREADS / WARP; warp++) {
      total = total + partial[turn][warp];
    }
    float scale = 1 / sqrtf(total / width + epsilon);
#pragma unroll
    for (int j = 0; j < FOURS; j++) {
      int four = threadIdx.x + j * NORM_THREADS;
      if (four < fours) {
        float4 scaled = all[j];
        scaled.x = scaled.x * scale * weights[j].x;
        scaled.y = scaled.y * scale * weights[j].y;
        scaled.z = scaled.z * scale * weights[j].z;
        scaled.w = scaled.w * scale * weights[j].w;
        to.putFour((long long)i * width + four * 4, scaled);
      }
    }
  }
}

#define WEFT_NORMALIZE(FOURS, BLOCKS)                                                             \
  WEFT_KERNEL_BESIDE(NORM_THREADS, BLOCKS, normalize_##FOURS, float* residual, Slices added,      \
                     const int* chosen, const float* weight, Activations to, int rows, int width, \
                     float epsilon) {                                                             \
    normalizeRows<FOURS>(residual, added, chosen, weight, to, rows, width, epsilon);              \
  }

// Of rows of up to 4,096 elements, and of up to 16,384.
WEFT_NORMALIZE(2, 3)
WEFT_NORMALIZE(8, 1)

// The cosine and sine of each row's position times each pair's frequency.
WEFT_KERNEL(ROW_THREADS, angles, const int* positions, const double* frequencies, float2* to,
            int pairs) {
  letNextBegin();
  waitForPrevious();
  for (int pair = threadIdx.x; pair < pairs; pair += ROW_THREADS) {
    double angle = positions[blockIdx.x] * frequencies[pair];
    float2 turn;
    turn.x = (float)cos(angle);
    turn.y = (float)sin(angle);
    to[(long long)blockIdx.x * pairs + pair] = turn;
  }
}

// How a head's pairs of elements are turned by a row's position: an element and the next, or one of
// the first half of those that are turned and one of the second.
struct Turning {
  // The cosine and sine of each pair.
  const float2* turns;
  int pairs;
  int interleaved;

  WEFT_DEVICE float2 of(int element) const {
    return element < 2 * pairs ? turns[interleaved ? element / 2 : element % pairs] : float2{1, 0};
  }

  WEFT_DEVICE int partnerOf(int element) const {
    return interleaved ? element ^ 1 : element < pairs ? element + pairs : element - pairs;
  }

  WEFT_DEVICE bool second(int element) const {
    return interleaved ? element % 2 != 0 : element >= pairs;
  }

  // The partners of four elements from `element` on, of which the first is turned.
  WEFT_DEVICE float4 partners(const Slices& x, long long head, int element, float4 own) const {
    if (interleaved) {
      return {own.y, own.x, own.w, own.z};
    }
    if (pairs % 4 == 0) {
      return x.fourAt(head + partnerOf(element));
    }
    float other[4];
#pragma unroll
    for (int i = 0; i < 4; i++) {
      other[i] = element + i < 2 * pairs ? x.at(head + partnerOf(element + i)) : 0;
    }
    return {other[0], other[1], other[2], other[3]};
  }

  WEFT_DEVICE float turned(int element, float own, float other, float2 turn) const {
    if (element >= 2 * pairs) {
      return own;
    }
    return second(element) ? other * turn.y + own * turn.x : own * turn.x - other * turn.y;
  }
};

#define ROTATE_THREADS 128
#define ROTATE_WARPS (ROTATE_THREADS / WARP)

WEFT_DEVICE int laneElement(int four) {
  return (four * WARP + threadIdx.x % WARP) * 4;
}

// Puts a head into the cache as int8, by a scale that float16 holds. Of elements behind the last
// there are zeros.
template <int FOURS>
WEFT_DEVICE void putBytes(const float4 (&own)[FOURS], const Cache& cache, Cache::Place place) {
  float highest = 0;
#pragma unroll
  for (int j = 0; j < FOURS; j++) {
    highest = fmaxf(highest, fmaxf(fmaxf(fabsf(own[j].x), fabsf(own[j].y)),
                                   fmaxf(fabsf(own[j].z), fabsf(own[j].w))));
  }
  unsigned short scale = floatToHalf(fminf(warpMax(highest) / 127, 65504));
  float held = halfToFloat(scale);
  float inverse = held > 0 ? 1 / held : 0;
  auto byteOf = [&](float value) {
    return (unsigned)(int)rintf(fminf(fmaxf(value * inverse, -127), 127)) & 0xff;
  };
  unsigned char* to = cache.elements(place);
#pragma unroll
  for (int j = 0; j < FOURS; j++) {
    if (laneElement(j) < cache.headSize) {
      *(unsigned*)(to + laneElement(j)) = byteOf(own[j].x) | byteOf(own[j].y) << 8 |
                                          byteOf(own[j].z) << 16 | byteOf(own[j].w) << 24;
    }
  }
  if (threadIdx.x % WARP == 0) {
    *cache.scale(place) = scale;
  }
}

template <int FOURS>
WEFT_DEVICE void putHalves(const float4 (&own)[FOURS], unsigned short* to, int headSize) {
#pragma unroll
  for (int j = 0; j < FOURS; j++) {
    if (laneElement(j) < headSize) {
      *(uint2*)(to + laneElement(j)) =
          uint2{toHalves(own[j].x, own[j].y), toHalves(own[j].z, own[j].w)};
    }
  }
}

// Turns queries and keys by their positions, and writes keys and values into the cache. A row of
// `x` holds all query heads, all key heads, all value heads; a warp takes one after the other.
// Queries are multiplied with `scale`, in float16; keys and values are what the cache holds.
// Without pairs nothing is turned. A lane has FOURS times four elements of a head.
template <int FOURS>
WEFT_DEVICE void rotateHeads(const Slices& x, unsigned short* queries, const Cache& cache,
                             const float2* turns, int heads, int pairs, int interleaved,
                             float scale) {
  int row = blockIdx.x;
  int keysFrom = heads;
  int valuesFrom = heads + cache.kvHeads;
  int end = heads + 2 * cache.kvHeads;
  int step = gridDim.y * ROTATE_WARPS;
  letNextBegin();
  const long long* blocks = cache.blocks + cache.firstBlocks[cache.sequences[row]];
  int position = cache.positions[row];
  waitForPrevious();
  Turning turning = {turns + (long long)row * pairs, pairs, interleaved};
  float2 turn[FOURS][4];
#pragma unroll
  for (int j = 0; j < FOURS; j++) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      turn[j][i] = turning.of(laneElement(j) + i);
    }
  }
  for (int head = blockIdx.y * ROTATE_WARPS + threadIdx.x / WARP; head < end; head += step) {
    long long from = ((long long)row * end + head) * cache.headSize;
    float4 own[FOURS];
#pragma unroll
    for (int j = 0; j < FOURS; j++) {
      int element = laneElement(j);
      if (element >= cache.headSize) {
        own[j] = {0, 0, 0, 0};
        continue;
      }
      float4 four = x.fourAt(from + element);
      if (head < valuesFrom && element < 2 * pairs) {
        float4 other = turning.partners(x, from, element, four);
        four = {turning.turned(element, four.x, other.x, turn[j][0]),
                turning.turned(element + 1, four.y, other.y, turn[j][1]),
                turning.turned(element + 2, four.z, other.z, turn[j][2]),
                turning.turned(element + 3, four.w, other.w, turn[j][3])};
      }
      if (head < keysFrom) {
        four = {four.x * scale, four.y * scale, four.z * scale, four.w * scale};
      }
      own[j] = four;
    }
    if (head < keysFrom) {
      putHalves(own, queries + ((long long)row * heads + head) * cache.headSize, cache.headSize);
      continue;
    }
    bool value = head >= valuesFrom;
    Cache::Place place =
        cache.find(blocks, position, value, head - (value ? valuesFrom : keysFrom));
    if (cache.scales != 0) {
      putBytes(own, cache, place);
    } else {
      putHalves(own, (unsigned short*)cache.elements(place), cache.headSize);
    }
  }
}

#define WEFT_ROTATE(FOURS)                                                                       \
  WEFT_KERNEL_BESIDE(ROTATE_THREADS, 8, rotate_##FOURS, Slices x, unsigned short* queries,       \
                     Cache cache, const float2* turns, int heads, int pairs, int interleaved,    \
                     float scale) {                                                              \
    rotateHeads<FOURS>(x, queries, cache, turns, heads, pairs, interleaved, scale);              \
  }

// Of heads of up to 128 elements, and of up to 256.
WEFT_ROTATE(1)
WEFT_ROTATE(2)

// activation(gate) * up, of rows that hold all gates and then all ups.
WEFT_KERNEL(ROW_THREADS, activate, Slices x, Activations to, int width, int gelu) {
  int i = blockIdx.y * ROW_THREADS + threadIdx.x;
  letNextBegin();
  waitForPrevious();
  if (i < width) {
    long long from = (long long)blockIdx.x * 2 * width + i;
    to.put((long long)blockIdx.x * width + i, activation(x.at(from), gelu) * x.at(from + width));
  }
}

// The largest logit's index of each row, as `largestOf` says.
WEFT_KERNEL(LARGEST_THREADS, largest, const float* logits, int width, int* to) {
  letNextBegin();
  waitForPrevious();
  int index = largestOf(logits + (long long)blockIdx.x * width, width);
  if (threadIdx.x == 0) {
    to[blockIdx.x] = index;
  }
}
