// Attention over the cache, or over whole texts, with tensor cores. A row's tokens are cut into units of 64 at multiples
// of 64; of each unit there are a maximum, a sum and a weighted sum of values, and they are merged
// in order. However the work is divided, these are a row's operations: so a row's result depends on
// nothing beside it. A unit of which a row sees nothing changes nothing.
//
// The 16 rows of a product of matrices are query heads that share a KV head, of one token where
// sequences have one (`attend_row`), of several where they have more (`attend_tile`).
#define UNIT_TOKENS 64
#define FRAGMENT_ROWS 16
// Rows of a sequence that do not make a tile: so many tokens before its own, at most, are of the
// same step.
#define MOST_SINGLES 16
#define TILE_WARPS 4

struct Attention {
  // [row][head][element], float16, multiplied with the softmax's scale and the logarithm of e.
  const unsigned short* queries;
  Activations to;
  // Rows that are their sequence's only one.
  const int* singles;
  // Of others, the first row and the number of rows of each tile.
  const int* tiles;
  // [single][head][unit][headSize + 2], where units are merged afterwards; null where the same warp
  // has all of a row.
  float* partials;
  // Of each sequence the number of tokens, where rows see all of them; null where a row sees those
  // up to its own.
  const int* lengths;
  int heads;
  int window;
  int maxUnits;
  // Whether keys and values of a unit are in shared memory at the same time.
  int together;
};

// Where a token's chunk of 16 bytes lies in a unit: the same chunk of eight tokens is in eight banks.
template <int HEAD>
WEFT_DEVICE int chunkOf(int token, int chunk) {
  return token * (HEAD * 2 + 16) + chunk * 16;
}

WEFT_DEVICE int firstSeen(int position, int window) {
  int first = position + 1 - window;
  return window == 0 || first < 0 ? 0 : first;
}

// How much of what was there stays when a unit is added, and how much of that is taken.
struct Merge {
  float maximum, kept, taken;
};

WEFT_DEVICE Merge merge(float maximum, float other) {
  if (other == -INFINITE) {
    return {maximum, 1, 0};
  }
  float larger = fmaxf(maximum, other);
  return {larger, powerOfTwo(maximum - larger), powerOfTwo(other - larger)};
}

WEFT_DEVICE float merged(Merge merge, float before, float unit) {
  return fmaf(before, merge.kept, unit * merge.taken);
}

// Rows of a fragment that are of use: with up to eight heads only the upper half is.
#define UPPER 1
#define BOTH 2

// What is known of two rows of a fragment, `lane / 4` and eight below it, in the lanes that hold
// them.
template <int HEAD>
struct Attended {
  float maxima[2];
  float sums[2];
  float values[HEAD / 8][4];
};

// Queries in the fragments of a product. Head sizes between those that there are kernels for are
// filled up with zeros.
template <int HEAD>
struct Queries {
  unsigned fragments[HEAD / 16][4];

  // Rows are null where there is none.
  WEFT_DEVICE void load(const unsigned short* upper, const unsigned short* lower, int headSize) {
    int lane = threadIdx.x % WARP;
#pragma unroll
    for (int k = 0; k < HEAD / 16; k++) {
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const unsigned short* row = i % 2 == 0 ? upper : lower;
        int element = k * 16 + i / 2 * 8 + lane % 4 * 2;
        fragments[k][i] = row != 0 && element < headSize ? *(const unsigned*)(row + element) : 0;
      }
    }
  }
};

// The products of a unit's keys with the queries: of the lane's rows, tokens 8 j + lane % 4 * 2 and
// the next. What a row does not see is minus infinity.
template <int HEAD, int HALVES>
WEFT_DEVICE void score(const Queries<HEAD>& queries, const unsigned char* keys, int unit,
                       const int (&from)[2], const int (&end)[2],
                       float (&scores)[UNIT_TOKENS / 8][4]) {
  constexpr int CHUNKS = HEAD / 8;
  int lane = threadIdx.x % WARP;
#pragma unroll
  for (int j = 0; j < UNIT_TOKENS / 8; j++) {
    scores[j][0] = scores[j][1] = scores[j][2] = scores[j][3] = 0;
  }
#pragma unroll
  for (int k = 0; k < CHUNKS; k += 4) {
#pragma unroll
    for (int j = 0; j < UNIT_TOKENS / 8; j++) {
      unsigned b[4];
      loadMatrices(b, keys + chunkOf<HEAD>(j * 8 + lane % 8, k + lane / 8));
      multiplyHalves(scores[j], queries.fragments[k / 2], b[0], b[1]);
      multiplyHalves(scores[j], queries.fragments[k / 2 + 1], b[2], b[3]);
    }
  }
  int first = unit * UNIT_TOKENS;
  bool seen = true;
  for (int i = 0; i < HALVES; i++) {
    seen = seen && from[i] <= first && first + UNIT_TOKENS <= end[i];
  }
  if (allLanes(seen)) {
    return;
  }
#pragma unroll
  for (int j = 0; j < UNIT_TOKENS / 8; j++) {
#pragma unroll
    for (int i = 0; i < 2 * HALVES; i++) {
      int token = first + j * 8 + lane % 4 * 2 + i % 2;
      if (token < from[i / 2] || token >= end[i / 2]) {
        scores[j][i] = -INFINITE;
      }
    }
  }
}

// The unit's maxima, its scores' powers and their sums.
template <int HEAD, int HALVES>
WEFT_DEVICE void weigh(float (&scores)[UNIT_TOKENS / 8][4], Attended<HEAD>& unit) {
#pragma unroll
  for (int row = 0; row < HALVES; row++) {
    float maximum = -INFINITE;
#pragma unroll
    for (int j = 0; j < UNIT_TOKENS / 8; j++) {
      maximum = fmaxf(maximum, fmaxf(scores[j][2 * row], scores[j][2 * row + 1]));
    }
    maximum = fmaxf(maximum, fromOtherLane(maximum, 1));
    maximum = fmaxf(maximum, fromOtherLane(maximum, 2));
    float base = maximum == -INFINITE ? 0 : maximum;
    float sum = 0;
#pragma unroll
    for (int j = 0; j < UNIT_TOKENS / 8; j++) {
#pragma unroll
      for (int i = 2 * row; i < 2 * row + 2; i++) {
        scores[j][i] = powerOfTwo(scores[j][i] - base);
        sum = sum + scores[j][i];
      }
    }
    sum = sum + fromOtherLane(sum, 1);
    unit.sums[row] = sum + fromOtherLane(sum, 2);
    unit.maxima[row] = maximum;
  }
}

template <int HEAD, int HALVES>
WEFT_DEVICE void gather(const float (&weights)[UNIT_TOKENS / 8][4], const unsigned char* values,
                        Attended<HEAD>& unit) {
  constexpr int CHUNKS = HEAD / 8;
  int lane = threadIdx.x % WARP;
#pragma unroll
  for (int i = 0; i < CHUNKS; i++) {
    unit.values[i][0] = unit.values[i][1] = unit.values[i][2] = unit.values[i][3] = 0;
  }
#pragma unroll
  for (int k = 0; k < UNIT_TOKENS / 16; k++) {
    unsigned a[4] = {toHalves(weights[2 * k][0], weights[2 * k][1]), 0,
                     toHalves(weights[2 * k + 1][0], weights[2 * k + 1][1]), 0};
    if (HALVES == BOTH) {
      a[1] = toHalves(weights[2 * k][2], weights[2 * k][3]);
      a[3] = toHalves(weights[2 * k + 1][2], weights[2 * k + 1][3]);
    }
#pragma unroll
    for (int i = 0; i < CHUNKS; i += 2) {
      unsigned b[4];
      loadTransposed(b, values + chunkOf<HEAD>(k * 16 + lane % 16, i + lane / 16));
      multiplyHalves(unit.values[i], a, b[0], b[1]);
      multiplyHalves(unit.values[i + 1], a, b[2], b[3]);
    }
  }
}

// Adds a unit to what there is of those before it.
template <int HEAD, int HALVES>
WEFT_DEVICE void add(Attended<HEAD>& total, const Attended<HEAD>& unit) {
#pragma unroll
  for (int i = 0; i < HALVES; i++) {
    Merge both = merge(total.maxima[i], unit.maxima[i]);
    total.sums[i] = merged(both, total.sums[i], unit.sums[i]);
    total.maxima[i] = both.maximum;
#pragma unroll
    for (int j = 0; j < HEAD / 8; j++) {
      total.values[j][2 * i] = merged(both, total.values[j][2 * i], unit.values[j][2 * i]);
      total.values[j][2 * i + 1] =
          merged(both, total.values[j][2 * i + 1], unit.values[j][2 * i + 1]);
    }
  }
}

template <int HEAD>
WEFT_DEVICE void clear(Attended<HEAD>& total) {
#pragma unroll
  for (int i = 0; i < 2; i++) {
    total.maxima[i] = -INFINITE;
    total.sums[i] = 0;
  }
#pragma unroll
  for (int j = 0; j < HEAD / 8; j++) {
    total.values[j][0] = total.values[j][1] = total.values[j][2] = total.values[j][3] = 0;
  }
}

// The tokens of one sequence, as THREADS threads bring units of them to shared memory.
template <int HEAD, int THREADS>
struct UnitCopy {
  static constexpr int BYTES = UNIT_TOKENS * (HEAD * 2 + 16);
  static constexpr int CHUNKS = HEAD / 8;
  const Cache& cache;
  const long long* blocks;
  int kvHead;
  // The tokens that any row sees.
  int start;
  int end;
  int thread;

  // Where the keys of a unit's tokens begin; 0 where no row sees them.
  WEFT_DEVICE void locate(int unit, long long* places) const {
    for (int i = thread; i < UNIT_TOKENS; i += THREADS) {
      int token = unit * UNIT_TOKENS + i;
      places[i] =
          token >= start && token < end ? (long long)cache.at(blocks, token, 0, kvHead) : 0;
    }
  }

  // Keys (half 0) or values. Zeros where there are none, and behind the elements of smaller heads:
  // what is multiplied with weights of zero has to be a number.
  WEFT_DEVICE void copy(const long long* places, int half, unsigned char* to) const {
    int chunk = thread % CHUNKS;
    bool within = chunk * 8 < cache.headSize;
    long long offset = half * cache.kvHeads * cache.blockTokens * cache.headSize * 2 + chunk * 16;
#pragma unroll 8
    for (int token = thread / CHUNKS; token < UNIT_TOKENS; token += THREADS / CHUNKS) {
      long long place = places[token];
      bool there = within && place != 0;
      copyAhead(to + chunkOf<HEAD>(token, chunk),
                there ? (const void*)(place + offset) : (const void*)blocks[0], there);
    }
  }
};

// Puts a unit where it is merged with the others.
template <int HEAD, int HALVES>
WEFT_DEVICE void keep(const Attention& attention, const Cache& cache, const Attended<HEAD>& unit,
                      long long head, int index, int count) {
  int lane = threadIdx.x % WARP;
#pragma unroll
  for (int i = 0; i < HALVES; i++) {
    int of = lane / 4 + i * 8;
    if (of < count) {
      float* to = attention.partials +
                  ((head + of) * attention.maxUnits + index) * (cache.headSize + 2);
      if (lane % 4 == 0) {
        to[0] = unit.maxima[i];
        to[1] = unit.sums[i];
      }
#pragma unroll
      for (int j = 0; j < HEAD / 8; j++) {
        int element = j * 8 + lane % 4 * 2;
        if (element < cache.headSize) {
          *(float2*)(to + 2 + element) = {unit.values[j][2 * i], unit.values[j][2 * i + 1]};
        }
      }
    }
  }
}

// Puts one of the lane's rows where the next product takes it from.
template <int HEAD>
WEFT_DEVICE void give(const Attention& attention, const Cache& cache, const Attended<HEAD>& total,
                      int i, long long at) {
#pragma unroll
  for (int j = 0; j < HEAD / 8; j++) {
    int element = j * 8 + threadIdx.x % 4 * 2;
    if (element < cache.headSize) {
      attention.to.putTwo(at + element, total.values[j][2 * i] / total.sums[i],
                          total.values[j][2 * i + 1] / total.sums[i]);
    }
  }
}

// Waits for the older of two groups of copies, or for the only one, of all lanes.
WEFT_DEVICE void waitForCopiesOf(bool two) {
  if (two) {
    waitForCopies<1>();
  } else {
    waitForCopies<0>();
  }
  warpBarrier();
}

// A row alone, in a warp: one of its units, kept for itself, or all, which are added up.
template <int HEAD, int HALVES, bool KEPT>
WEFT_DEVICE void attendRow(const Attention& attention, const Cache& cache) {
  WEFT_DYNAMIC_SHARED(shared);
  __shared__ long long places[UNIT_TOKENS];
  using Copy = UnitCopy<HEAD, WARP>;
  int lane = threadIdx.x;
  int group = attention.heads / cache.kvHeads;
  int passes = (group + FRAGMENT_ROWS - 1) / FRAGMENT_ROWS;
  int kvHead = blockIdx.x / passes;
  int firstHead = blockIdx.x % passes * FRAGMENT_ROWS;
  int count = group - firstHead < FRAGMENT_ROWS ? group - firstHead : FRAGMENT_ROWS;
  // Values take the place of the keys where many warps fill a multiprocessor.
  bool together = attention.together;
  unsigned char* keys = shared;
  unsigned char* values = shared + (together ? Copy::BYTES : 0);

  letNextBegin();
  int row = attention.singles[blockIdx.z];
  int position = cache.positions[row];
  int start = firstSeen(position, attention.window);
  int unit = KEPT ? blockIdx.y : start / UNIT_TOKENS;
  int end = KEPT ? unit + 1 : position / UNIT_TOKENS + 1;
  bool seen = unit <= position / UNIT_TOKENS && unit >= start / UNIT_TOKENS;
  const long long* blocks = cache.blocks + cache.firstBlocks[cache.sequences[row]];
  Copy copy = {cache, blocks, kvHead, start, position + 1, lane};
  auto ask = [&](int half) {
    copy.copy(places, half, half == 0 ? keys : values);
    endOfCopies();
  };
  // Of tokens before this step, keys and values are there already.
  bool early = seen && (unit + 1) * UNIT_TOKENS + MOST_SINGLES <= position;
  if (seen) {
    copy.locate(unit, places);
    warpBarrier();
  }
  if (early) {
    ask(0);
    if (together) {
      ask(1);
    }
  }
  waitForPrevious();
  if (!seen) {
    return;
  }
  if (!early) {
    ask(0);
    if (together) {
      ask(1);
    }
  }
  long long head = (long long)row * attention.heads + kvHead * group + firstHead;
  const unsigned short* query = attention.queries + head * cache.headSize;
  Queries<HEAD> queries;
  queries.load(lane / 4 < count ? query + lane / 4 * cache.headSize : 0,
               lane / 4 + 8 < count ? query + (lane / 4 + 8) * cache.headSize : 0, cache.headSize);
  int from[2] = {start, start};
  int to[2] = {position + 1, position + 1};
  Attended<HEAD> total;
  if (!KEPT) {
    clear(total);
  }

#pragma unroll 1
  for (; unit < end; unit++) {
    Attended<HEAD> attended;
    float scores[UNIT_TOKENS / 8][4];
    bool more = unit + 1 < end;
    // Groups under way are keys and values, of this unit or of the next: the older one is waited for.
    waitForCopiesOf(together);
    score<HEAD, HALVES>(queries, keys, unit, from, to, scores);
    warpBarrier();
    if (!together) {
      ask(1);
    } else if (more) {
      copy.locate(unit + 1, places);
      warpBarrier();
      ask(0);
    } else {
      endOfCopies();
    }
    weigh<HEAD, HALVES>(scores, attended);
    waitForCopiesOf(together);
    gather<HEAD, HALVES>(scores, values, attended);
    warpBarrier();
    if (!together && more) {
      copy.locate(unit + 1, places);
      warpBarrier();
      ask(0);
    } else if (more) {
      ask(1);
    }
    if (KEPT) {
      long long single = (long long)blockIdx.z * attention.heads + kvHead * group + firstHead;
      keep<HEAD, HALVES>(attention, cache, attended, single, unit, count);
    } else {
      add<HEAD, HALVES>(total, attended);
    }
  }
  if (!KEPT) {
#pragma unroll
    for (int i = 0; i < HALVES; i++) {
      if (lane / 4 + i * 8 < count) {
        give(attention, cache, total, i, (head + lane / 4 + i * 8) * cache.headSize);
      }
    }
  }
}

#define MERGE_THREADS 128
#define MERGED_AHEAD 32

// Merges the units of a row's head: a thread an element, the values of many units under way.
WEFT_KERNEL_BESIDE(MERGE_THREADS, 4, merge_units, Attention attention, Cache cache) {
  __shared__ float2 heads[MERGED_AHEAD];
  int headSize = cache.headSize;
  letNextBegin();
  int row = attention.singles[blockIdx.x];
  int position = cache.positions[row];
  int lastUnit = position / UNIT_TOKENS;
  long long head = (long long)blockIdx.x * attention.heads + blockIdx.y;
  const float* units = attention.partials + head * attention.maxUnits * (headSize + 2);
  waitForPrevious();
  for (int element = threadIdx.x; element < (headSize + 127) / 128 * 128; element += MERGE_THREADS) {
    bool within = element < headSize;
    float maximum = -INFINITE;
    float sum = 0;
    float value = 0;
    for (int first = firstSeen(position, attention.window) / UNIT_TOKENS; first <= lastUnit;
         first += MERGED_AHEAD) {
      float values[MERGED_AHEAD];
#pragma unroll
      for (int i = 0; i < MERGED_AHEAD; i++) {
        const float* unit = units + (long long)(first + i) * (headSize + 2);
        values[i] = within && first + i <= lastUnit ? unit[2 + element] : 0;
      }
      if (threadIdx.x < MERGED_AHEAD && first + (int)threadIdx.x <= lastUnit) {
        const float* unit = units + (long long)(first + threadIdx.x) * (headSize + 2);
        heads[threadIdx.x] = *(const float2*)unit;
      }
      __syncthreads();
#pragma unroll
      for (int i = 0; i < MERGED_AHEAD; i++) {
        if (first + i <= lastUnit) {
          Merge both = merge(maximum, heads[i].x);
          value = merged(both, value, values[i]);
          sum = merged(both, sum, heads[i].y);
          maximum = both.maximum;
        }
      }
      __syncthreads();
    }
    if (within) {
      attention.to.put(((long long)row * attention.heads + blockIdx.y) * headSize + element,
                       value / sum);
    }
  }
}

// Rows of one sequence, as many as fill the fragments of TILE_WARPS warps with their heads.
template <int HEAD>
WEFT_DEVICE void attendTile(const Attention& attention, const Cache& cache) {
  WEFT_DYNAMIC_SHARED(shared);
  __shared__ long long places[2][UNIT_TOKENS];
  using Copy = UnitCopy<HEAD, TILE_WARPS * WARP>;
  int lane = threadIdx.x % WARP;
  int group = attention.heads / cache.kvHeads;
  int passes = (group + FRAGMENT_ROWS - 1) / FRAGMENT_ROWS;
  int kvHead = blockIdx.y / passes;
  int firstHead = blockIdx.y % passes * FRAGMENT_ROWS;
  int heads = group - firstHead < FRAGMENT_ROWS ? group - firstHead : FRAGMENT_ROWS;

  letNextBegin();
  // The last tiles see most: they begin first.
  int tile = gridDim.x - 1 - blockIdx.x;
  int firstRow = attention.tiles[2 * tile];
  int rows = attention.tiles[2 * tile + 1];
  int sequence = cache.sequences[firstRow];
  int firstPosition = cache.positions[firstRow];
  int length = attention.lengths != 0 ? attention.lengths[sequence] : 0;
  int start = firstSeen(firstPosition, attention.window);
  int position = length != 0 ? length - 1 : firstPosition + rows - 1;
  int lastUnit = position / UNIT_TOKENS;

  Copy copy = {cache,    cache.blocks + cache.firstBlocks[sequence],
               kvHead,   start,
               position + 1, (int)threadIdx.x};
  // Two units lie in shared memory, and where the tokens of the next one begin.
  auto ask = [&](int unit) {
    unsigned char* to = shared + unit % 2 * 2 * Copy::BYTES;
    copy.copy(places[unit % 2], 0, to);
    copy.copy(places[unit % 2], 1, to + Copy::BYTES);
    endOfCopies();
  };
  int unit = start / UNIT_TOKENS;
  copy.locate(unit, places[unit % 2]);
  copy.locate(unit + 1, places[(unit + 1) % 2]);
  waitForPrevious();
  __syncthreads();
  ask(unit);

  int from[2];
  int end[2];
  long long rowsAt[2];
  const unsigned short* query[2];
#pragma unroll
  for (int i = 0; i < 2; i++) {
    int index = threadIdx.x / WARP * FRAGMENT_ROWS + lane / 4 + i * 8;
    int row = index / heads;
    int head = kvHead * group + firstHead + index % heads;
    bool there = row < rows;
    rowsAt[i] = there ? ((long long)(firstRow + row) * attention.heads + head) * cache.headSize : -1;
    query[i] = there ? attention.queries + rowsAt[i] : 0;
    end[i] = !there ? 0 : length != 0 ? length : firstPosition + row + 1;
    from[i] = there ? firstSeen(firstPosition + row, attention.window) : 0;
  }
  Queries<HEAD> queries;
  queries.load(query[0], query[1], cache.headSize);
  Attended<HEAD> total;
  clear(total);
  for (; unit <= lastUnit; unit++) {
    waitForCopies<0>();
    __syncthreads();
    if (unit < lastUnit) {
      ask(unit + 1);
    }
    const unsigned char* keys = shared + unit % 2 * 2 * Copy::BYTES;
    Attended<HEAD> attended;
    float scores[UNIT_TOKENS / 8][4];
    score<HEAD, BOTH>(queries, keys, unit, from, end, scores);
    weigh<HEAD, BOTH>(scores, attended);
    gather<HEAD, BOTH>(scores, keys + Copy::BYTES, attended);
    add<HEAD, BOTH>(total, attended);
    // What was there was read before the barrier.
    copy.locate(unit + 2, places[unit % 2]);
  }
#pragma unroll
  for (int i = 0; i < 2; i++) {
    if (rowsAt[i] >= 0) {
      give(attention, cache, total, i, rowsAt[i]);
    }
  }
}

#define WEFT_ATTEND_ROW(HEAD, name, HALVES, KEPT, BLOCKS)                                     \
  WEFT_KERNEL_BESIDE(WARP, BLOCKS, name, Attention attention, Cache cache) {                   \
    attendRow<HEAD, HALVES, KEPT>(attention, cache);                                           \
  }

#define WEFT_ATTEND(HEAD)                                                                     \
  WEFT_ATTEND_ROW(HEAD, attend_row_##HEAD, BOTH, false, 1)                                     \
  WEFT_ATTEND_ROW(HEAD, attend_units_1_##HEAD, UPPER, true, (HEAD <= 128 ? 12 : 6))            \
  WEFT_ATTEND_ROW(HEAD, attend_units_2_##HEAD, BOTH, true, (HEAD <= 128 ? 12 : 6))             \
  WEFT_KERNEL(TILE_WARPS* WARP, attend_tile_##HEAD, Attention attention, Cache cache) {        \
    attendTile<HEAD>(attention, cache);                                                        \
  }
