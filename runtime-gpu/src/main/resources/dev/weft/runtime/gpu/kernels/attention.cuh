// Attention over the cache. The tokens that a row sees are cut into splits of 256, at multiples of
// 256 of their position; of each split there are a maximum, a sum and a weighted sum of values, and
// they are merged in order. A row's splits are computed by one block, or each by its own where rows
// are few, and merged afterwards: by the same operations, so to the same bits.
#define SPLIT 256
#define ATTENTION_THREADS 128

struct Attention {
  const float* queries;
  float* out;
  // [row][head][split][headSize + 2], where splits are merged afterwards; else null.
  float* partials;
  int heads;
  int window;
  int maxSplits;
  float scale;
};

WEFT_DEVICE int firstSeen(int position, int window) {
  int first = position + 1 - window;
  return window == 0 || first < 0 ? 0 : first;
}

// How much of what was there stays when a split of another maximum is added, and of the split.
struct Merge {
  float maximum, kept, taken;
};

WEFT_DEVICE Merge merge(float maximum, float other) {
  float larger = fmaxf(maximum, other);
  return {larger, expf(maximum - larger), expf(other - larger)};
}

WEFT_DEVICE float merged(Merge merge, float before, float split) {
  return fmaf(before, merge.kept, split * merge.taken);
}

WEFT_DEVICE void unpack(uint4 halves, float* to) {
  to[0] = lowHalf(halves.x);
  to[1] = highHalf(halves.x);
  to[2] = lowHalf(halves.y);
  to[3] = highHalf(halves.y);
  to[4] = lowHalf(halves.z);
  to[5] = highHalf(halves.z);
  to[6] = lowHalf(halves.w);
  to[7] = highHalf(halves.w);
}

// A row and a KV head a block, up to HEADS of its query heads at a time.
template <int HEADS>
WEFT_DEVICE void attend(Attention attention, Cache cache) {
  WEFT_DYNAMIC_SHARED(shared);
  int row = blockIdx.x;
  int kvHead = blockIdx.y;
  int thread = threadIdx.x;
  int headSize = cache.headSize;
  int group = attention.heads / cache.kvHeads;
  int sequence = cache.sequences[row];
  int end = cache.positions[row] + 1;
  int start = firstSeen(end - 1, attention.window);
  int vectors = headSize / 8;
  int runs = ATTENTION_THREADS / vectors;

  float* query = (float*)shared;
  float* scores = query + HEADS * headSize;
  float* total = scores + HEADS * SPLIT;
  float* maxima = total + HEADS * headSize;
  float* sums = maxima + 2 * HEADS;
  // Of each run of tokens.
  float* parts = sums + 2 * HEADS;

  int firstSplit = start / SPLIT;
  int lastSplit = (end - 1) / SPLIT;
  if (attention.partials != 0) {
    if (blockIdx.z < firstSplit || blockIdx.z > lastSplit) {
      return;
    }
    firstSplit = blockIdx.z;
    lastSplit = blockIdx.z;
  }

  for (int first = 0; first < group; first += HEADS) {
    int count = group - first < HEADS ? group - first : HEADS;
    long long head = (long long)row * attention.heads + kvHead * group + first;
    for (int i = thread; i < HEADS * headSize; i += ATTENTION_THREADS) {
      query[i] = i < count * headSize ? attention.queries[head * headSize + i] : 0;
      total[i] = 0;
    }
    if (thread < HEADS) {
      maxima[thread] = -INFINITE;
      sums[thread] = 0;
    }
    __syncthreads();

    for (int split = firstSplit; split <= lastSplit; split++) {
      int base = split * SPLIT;
      int from = start > base ? start - base : 0;
      int to = end - base < SPLIT ? end - base : SPLIT;

      for (int i = from + thread; i < to; i += ATTENTION_THREADS) {
        const uint4* key = (const uint4*)cache.at(sequence, base + i, 0, kvHead);
        float products[HEADS];
        for (int h = 0; h < HEADS; h++) {
          products[h] = 0;
        }
        for (int vector = 0; vector < vectors; vector++) {
          float elements[8];
          unpack(key[vector], elements);
          for (int h = 0; h < HEADS; h++) {
            const float4* with = (const float4*)(query + h * headSize + vector * 8);
            products[h] = added(products[h], elements, with[0], with[1]);
          }
        }
        for (int h = 0; h < HEADS; h++) {
          scores[h * SPLIT + i] = products[h] * attention.scale;
        }
      }
      __syncthreads();

      int warp = thread / WARP;
      if (warp < count) {
        float* own = scores + warp * SPLIT;
        float maximum = -INFINITE;
        for (int i = thread % WARP; i < SPLIT; i += WARP) {
          if (i >= from && i < to) {
            maximum = fmaxf(maximum, own[i]);
          }
        }
        maximum = warpMax(maximum);
        float sum = 0;
        for (int i = thread % WARP; i < SPLIT; i += WARP) {
          if (i >= from && i < to) {
            own[i] = expf(own[i] - maximum);
            sum = sum + own[i];
          }
        }
        sum = warpSum(sum);
        if (thread % WARP == 0) {
          maxima[HEADS + warp] = maximum;
          sums[HEADS + warp] = sum;
        }
      }
      __syncthreads();

      int run = thread / vectors;
      if (run < runs) {
        float weighted[HEADS][8];
        for (int h = 0; h < HEADS; h++) {
          for (int i = 0; i < 8; i++) {
            weighted[h][i] = 0;
          }
        }
        // The run's tokens by their place in the split, wherever a window begins.
        for (int i = run + (from - run + runs - 1) / runs * runs * (from > run); i < to; i += runs) {
          const uint4* value = (const uint4*)cache.at(sequence, base + i, 1, kvHead);
          float elements[8];
          unpack(value[thread % vectors], elements);
          for (int h = 0; h < HEADS; h++) {
            float weight = scores[h * SPLIT + i];
            for (int e = 0; e < 8; e++) {
              weighted[h][e] = fmaf(weight, elements[e], weighted[h][e]);
            }
          }
        }
        for (int h = 0; h < count; h++) {
          for (int e = 0; e < 8; e++) {
            parts[(run * HEADS + h) * headSize + thread % vectors * 8 + e] = weighted[h][e];
          }
        }
      }
      __syncthreads();

      for (int i = thread; i < count * headSize; i += ATTENTION_THREADS) {
        int h = i / headSize;
        float sum = 0;
        for (int r = 0; r < runs; r++) {
          sum = sum + parts[r * HEADS * headSize + i];
        }
        if (attention.partials != 0) {
          float* to = attention.partials + ((head + h) * attention.maxSplits + split) * (headSize + 2);
          to[2 + i % headSize] = sum;
          if (i % headSize == 0) {
            to[0] = maxima[HEADS + h];
            to[1] = sums[HEADS + h];
          }
        } else {
          total[i] = merged(merge(maxima[h], maxima[HEADS + h]), total[i], sum);
        }
      }
      __syncthreads();
      if (thread < count) {
        Merge both = merge(maxima[thread], maxima[HEADS + thread]);
        sums[thread] = merged(both, sums[thread], sums[HEADS + thread]);
        maxima[thread] = both.maximum;
      }
      __syncthreads();
    }

    if (attention.partials == 0) {
      for (int i = thread; i < count * headSize; i += ATTENTION_THREADS) {
        attention.out[head * headSize + i] = total[i] / sums[i / headSize];
      }
    }
    __syncthreads();
  }
}

WEFT_KERNEL(ATTENTION_THREADS, attend_1, Attention attention, Cache cache) {
  attend<1>(attention, cache);
}

WEFT_KERNEL(ATTENTION_THREADS, attend_4, Attention attention, Cache cache) {
  attend<4>(attention, cache);
}

// Merges the splits of a row's head.
WEFT_KERNEL(ATTENTION_THREADS, merge_splits, Attention attention, Cache cache) {
  int headSize = cache.headSize;
  long long head = (long long)blockIdx.x * attention.heads + blockIdx.y;
  int position = cache.positions[blockIdx.x];
  int firstSplit = firstSeen(position, attention.window) / SPLIT;
  const float* splits = attention.partials + head * attention.maxSplits * (headSize + 2);
  for (int i = threadIdx.x; i < headSize; i += ATTENTION_THREADS) {
    float maximum = -INFINITE;
    float sum = 0;
    float total = 0;
    for (int split = firstSplit; split <= position / SPLIT; split++) {
      const float* part = splits + split * (headSize + 2);
      Merge both = merge(maximum, part[0]);
      total = merged(both, total, part[2 + i]);
      sum = merged(both, sum, part[1]);
      maximum = both.maximum;
    }
    attention.out[head * headSize + i] = total / sum;
  }
}
