// What a decoder's step does beside products. Rows of a step lie one after the other; `positions`
// and `sequences` say whose they are.

#define NORM_THREADS 512
// Elements that a thread of `normalize` holds, in fours.
#define NORM_FOURS 8

// Adds to a row what a projection gave for it, and normalizes it (RMSNorm). With `chosen` these are
// the rows that it names, and the sum is not kept.
WEFT_KERNEL(NORM_THREADS, normalize, float* residual, Slices added, const int* chosen,
            const float* weight, Activations to, int width, float epsilon) {
  __shared__ float partial[NORM_THREADS / WARP];
  int fours = width / 4;
  letNextBegin();
  float4 weights[NORM_FOURS];
#pragma unroll
  for (int j = 0; j < NORM_FOURS; j++) {
    int four = threadIdx.x + j * NORM_THREADS;
    if (four < fours) {
      weights[j] = *(const float4*)(weight + four * 4);
    }
  }
  waitForPrevious();
  int row = chosen != 0 ? chosen[blockIdx.x] : blockIdx.x;
  long long from = (long long)row * width;
  float4 all[NORM_FOURS];
  float squares = 0;
#pragma unroll
  for (int j = 0; j < NORM_FOURS; j++) {
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
    partial[threadIdx.x / WARP] = squares;
  }
  __syncthreads();
  float total = 0;
  for (int i = 0; i < NORM_THREADS / WARP; i++) {
    total = total + partial[i];
  }
  float scale = 1 / sqrtf(total / width + epsilon);
#pragma unroll
  for (int j = 0; j < NORM_FOURS; j++) {
    int four = threadIdx.x + j * NORM_THREADS;
    if (four < fours) {
      float4 scaled = all[j];
      scaled.x = scaled.x * scale * weights[j].x;
      scaled.y = scaled.y * scale * weights[j].y;
      scaled.z = scaled.z * scale * weights[j].z;
      scaled.w = scaled.w * scale * weights[j].w;
      to.putFour((long long)blockIdx.x * width + four * 4, scaled);
    }
  }
}

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

WEFT_DEVICE int pairOf(int element, int pairs, int interleaved) {
  return interleaved ? element / 2 : element % pairs;
}

// An element of a head that begins at `head`, after its pair has been turned.
WEFT_DEVICE float turned(const Slices& x, long long head, int element, const float2* turns,
                         int pairs, int interleaved) {
  float own = x.at(head + element);
  if (element >= 2 * pairs) {
    return own;
  }
  float2 turn = turns[pairOf(element, pairs, interleaved)];
  int second = interleaved ? element % 2 : element / pairs;
  float other =
      x.at(head + (interleaved ? element ^ 1 : (second ? element - pairs : element + pairs)));
  return second ? other * turn.y + own * turn.x : own * turn.x - other * turn.y;
}

#define ROTATE_THREADS 128
// Elements that a lane has of the largest head.
#define LANE_ELEMENTS 8

// Puts a head into the cache as int8, by a scale that float16 holds. What a lane has of it is every
// 32nd element, zeros behind the last.
WEFT_DEVICE void putBytes(const float (&own)[LANE_ELEMENTS], const Cache& cache,
                          Cache::Place place) {
  int lane = threadIdx.x % WARP;
  float highest = 0;
#pragma unroll
  for (int j = 0; j < LANE_ELEMENTS; j++) {
    highest = fmaxf(highest, fabsf(own[j]));
  }
  unsigned short scale = floatToHalf(fminf(warpMax(highest) / 127, 65504));
  float held = halfToFloat(scale);
  float inverse = held > 0 ? 1 / held : 0;
  signed char* to = (signed char*)cache.elements(place);
#pragma unroll
  for (int j = 0; j < LANE_ELEMENTS; j++) {
    if (lane + j * WARP < cache.headSize) {
      to[lane + j * WARP] = (signed char)rintf(fminf(fmaxf(own[j] * inverse, -127), 127));
    }
  }
  if (lane == 0) {
    *cache.scale(place) = scale;
  }
}

// Turns queries and keys by their positions, and writes keys and values into the cache. A row of
// `x` holds all query heads, all key heads, all value heads; a warp has one of them. Queries are
// multiplied with `scale`, in float16; keys and values are what the cache holds. Without pairs
// nothing is turned.
WEFT_KERNEL(ROTATE_THREADS, rotate, Slices x, unsigned short* queries, Cache cache,
            const float2* turns, int heads, int pairs, int interleaved, float scale) {
  int row = blockIdx.x;
  int head = blockIdx.y * (ROTATE_THREADS / WARP) + threadIdx.x / WARP;
  int all = heads + 2 * cache.kvHeads;
  letNextBegin();
  waitForPrevious();
  if (head >= all) {
    return;
  }
  long long from = ((long long)row * all + head) * cache.headSize;
  const float2* own = turns + (long long)row * pairs;
  int value = head >= heads + cache.kvHeads;
  auto elementAt = [&](int i) {
    return value ? x.at(from + i) : turned(x, from, i, own, pairs, interleaved);
  };
  unsigned short* to = queries + ((long long)row * heads + head) * cache.headSize;
  if (head >= heads) {
    Cache::Place place =
        cache.find(cache.blocks + cache.firstBlocks[cache.sequences[row]], cache.positions[row],
                   value, (head - heads) % cache.kvHeads);
    if (cache.scales != 0) {
      float all[LANE_ELEMENTS];
#pragma unroll
      for (int j = 0; j < LANE_ELEMENTS; j++) {
        int i = threadIdx.x % WARP + j * WARP;
        all[j] = i < cache.headSize ? elementAt(i) : 0;
      }
      putBytes(all, cache, place);
      return;
    }
    to = (unsigned short*)cache.elements(place);
  }
  for (int i = threadIdx.x % WARP; i < cache.headSize; i += WARP) {
    to[i] = floatToHalf(head < heads ? elementAt(i) * scale : elementAt(i));
  }
}

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
