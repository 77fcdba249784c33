// Attention over the cache, or over whole texts, with tensor cores. A row's tokens are cut into units of 64 at multiples
// of 64; of each unit there are a maximum, a sum and a weighted sum of values, and they are merged
// in order. However the work is divided, these are a row's operations: so a row's result depends on
// nothing beside it. A unit of which a row sees nothing changes nothing.
//
// The 16 rows of a product of matrices are query heads that share a KV head, of one token where
// sequences have one (`attend_units`), of several where they have more (`attend_tile`).
//
// Int8 is read as it lies and becomes float16 in registers, exactly: a key's scale multiplies its
// score, a value's its weight. A lane's bytes are then not the elements that it has of float16, so
// queries are loaded, and sums given away, in the bytes' order.
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
  // Rows that are attended to one by one.
  const int* singles;
  // Of others, the first row and the number of rows of each tile.
  const int* tiles;
  // [single][head][unit][KEPT_HEADER + headSize], of the units that are merged afterwards.
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

// What keys and values are, and which elements of an eighth of sixteen columns a lane has: two, of
// which `elementOf` is the first.
struct Float16 {
  static constexpr int BYTES = 2;
  static constexpr int SCALE_BYTES = 0;

  static WEFT_DEVICE int elementOf(int eight) { return eight * 8 + threadIdx.x % 4 * 2; }
};

struct Int8 {
  static constexpr int BYTES = 1;
  static constexpr int SCALE_BYTES = 2;

  static WEFT_DEVICE int elementOf(int eight) {
    return eight / 2 * 16 + threadIdx.x % 4 * 4 + eight % 2 * 2;
  }
};

// A unit's keys or values in shared memory: a row a token, and their scales behind them.
template <int HEAD, typename Of>
struct Unit {
  using Element = Of;
  static constexpr int ROW_BYTES = HEAD * Element::BYTES;
  static constexpr int CHUNKS = ROW_BYTES / 16;
  static constexpr int SCALES = UNIT_TOKENS * (ROW_BYTES + 16);
  static constexpr int BYTES = SCALES + UNIT_TOKENS * Element::SCALE_BYTES;

  // Where a token's chunk of 16 bytes lies: the same chunk of eight tokens is in eight banks.
  static WEFT_DEVICE int chunkOf(int token, int chunk) {
    return token * (ROW_BYTES + 16) + chunk * 16;
  }

  // The scales of the lane's two tokens of eight.
  static WEFT_DEVICE float2 scalesOf(const unsigned char* unit, int eight) {
    unsigned both = *(const unsigned*)(unit + SCALES + (eight * 8 + threadIdx.x % 4 * 2) * 2);
    return {halfToFloat((unsigned short)both), halfToFloat((unsigned short)(both >> 16))};
  }
};

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
template <int HEAD, typename Element>
struct Queries {
  unsigned fragments[HEAD / 16][4];

  // Rows are null where there is none.
  WEFT_DEVICE void load(const unsigned short* upper, const unsigned short* lower, int headSize) {
#pragma unroll
    for (int k = 0; k < HEAD / 16; k++) {
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const unsigned short* row = i % 2 == 0 ? upper : lower;
        int element = Element::elementOf(2 * k + i / 2);
        fragments[k][i] = row != 0 && element < headSize ? *(const unsigned*)(row + element) : 0;
      }
    }
  }
};

// The products of a unit's keys with the queries: of the lane's rows, tokens 8 j + lane % 4 * 2 and
// the next.
template <int HEAD, int HALVES, typename Element>
WEFT_DEVICE void score(const Queries<HEAD, Element>& queries, const unsigned char* keys,
                       float (&scores)[UNIT_TOKENS / 8][4]) {
  using Keys = Unit<HEAD, Element>;
  int lane = threadIdx.x % WARP;
#pragma unroll
  for (int j = 0; j < UNIT_TOKENS / 8; j++) {
    scores[j][0] = scores[j][1] = scores[j][2] = scores[j][3] = 0;
  }
#pragma unroll
  for (int k = 0; k < Keys::CHUNKS; k += 4) {
#pragma unroll
    for (int j = 0; j < UNIT_TOKENS / 8; j++) {
      unsigned b[4];
      loadMatrices(b, keys + Keys::chunkOf(j * 8 + lane % 8, k + lane / 8));
      if constexpr (Element::SCALE_BYTES == 0) {
        multiplyHalves(scores[j], queries.fragments[k / 2], b[0], b[1]);
        multiplyHalves(scores[j], queries.fragments[k / 2 + 1], b[2], b[3]);
      } else {
#pragma unroll
        for (int i = 0; i < 4; i++) {
          multiplyHalves(scores[j], queries.fragments[k + i], bytesToHalves<0, 1>(b[i]),
                         bytesToHalves<2, 3>(b[i]));
        }
      }
    }
  }
  if constexpr (Element::SCALE_BYTES > 0) {
#pragma unroll
    for (int j = 0; j < UNIT_TOKENS / 8; j++) {
      float2 scales = Keys::scalesOf(keys, j);
#pragma unroll
      for (int i = 0; i < 2 * HALVES; i++) {
        scores[j][i] = scores[j][i] * (i % 2 == 0 ? scales.x : scales.y);
      }
    }
  }
}

// Of scores, those of tokens that a row does not see become minus infinity.
template <int HALVES>
WEFT_DEVICE void hide(float (&scores)[UNIT_TOKENS / 8][4], int unit, const int (&from)[2],
                      const int (&end)[2]) {
  int lane = threadIdx.x % WARP;
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
template <int HALVES>
WEFT_DEVICE void weigh(float (&scores)[UNIT_TOKENS / 8][4], float (&maxima)[2], float (&sums)[2]) {
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
    sums[row] = sum + fromOtherLane(sum, 2);
    maxima[row] = maximum;
  }
}

// Below, nothing is left of a weight.
#define LEAST_WEIGHT 1e-30f

// Multiplies weights with the scales of their values, and divides a row's by the largest of them:
// so float16 holds them as well as it holds the weights themselves. What a row does not see may
// have anything for a scale.
template <int HALVES, typename Values>
WEFT_DEVICE void scaleWeights(float (&weights)[UNIT_TOKENS / 8][4], const unsigned char* values,
                              float (&largest)[2]) {
  largest[0] = largest[1] = 0;
#pragma unroll
  for (int j = 0; j < UNIT_TOKENS / 8; j++) {
    float2 scales = Values::scalesOf(values, j);
#pragma unroll
    for (int i = 0; i < 2 * HALVES; i++) {
      float scale = i % 2 == 0 ? scales.x : scales.y;
      weights[j][i] = weights[j][i] == 0 ? 0 : weights[j][i] * scale;
      largest[i / 2] = fmaxf(largest[i / 2], weights[j][i]);
    }
  }
#pragma unroll
  for (int row = 0; row < HALVES; row++) {
    largest[row] = fmaxf(largest[row], fromOtherLane(largest[row], 1));
    largest[row] = fmaxf(largest[row], fromOtherLane(largest[row], 2));
    float inverse = largest[row] > LEAST_WEIGHT ? 1 / largest[row] : 0;
#pragma unroll
    for (int j = 0; j < UNIT_TOKENS / 8; j++) {
      weights[j][2 * row] = weights[j][2 * row] * inverse;
      weights[j][2 * row + 1] = weights[j][2 * row + 1] * inverse;
    }
  }
}

// What a lane has of some columns of a fragment's values: of eight after eight.
template <int COUNT>
struct Columns {
  static constexpr int EIGHTS = COUNT;
  float sums[EIGHTS][4];
};

// Of two chunks of 16 bytes.
template <typename Element>
using ColumnsOf = Columns<4 / Element::BYTES>;

// The weights of a unit's tokens in the fragments of a product.
template <int HALVES>
WEFT_DEVICE void toFragments(const float (&weights)[UNIT_TOKENS / 8][4],
                             unsigned (&a)[UNIT_TOKENS / 16][4]) {
#pragma unroll
  for (int k = 0; k < UNIT_TOKENS / 16; k++) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const float* two = weights[2 * k + i / 2] + i % 2 * 2;
      a[k][i] = i % 2 < HALVES ? toHalves(two[0], two[1]) : 0;
    }
  }
}

// Puts what a lane has of sixteen columns of bytes, the even ones and then the odd ones, in their
// order, and multiplies a row's with what its weights were divided by.
template <int HALVES>
WEFT_DEVICE void restore(float (&even)[4], float (&odd)[4], const float (&largest)[2]) {
#pragma unroll
  for (int row = 0; row < HALVES; row++) {
    int i = 2 * row;
    float second = odd[i] * largest[row];
    even[i] = even[i] * largest[row];
    odd[i] = even[i + 1] * largest[row];
    even[i + 1] = second;
    odd[i + 1] = odd[i + 1] * largest[row];
  }
}

// The sums of a unit's values, each times its weight: `take` is given some columns after others, the
// number of the first eight of them and their sums.
template <int HEAD, int HALVES, typename Element, typename Take>
WEFT_DEVICE void gather(float (&weights)[UNIT_TOKENS / 8][4], const unsigned char* values,
                        Take take) {
  using Values = Unit<HEAD, Element>;
  int lane = threadIdx.x % WARP;
  float largest[2];
  if constexpr (Element::SCALE_BYTES > 0) {
    scaleWeights<HALVES, Values>(weights, values, largest);
  }
  unsigned a[UNIT_TOKENS / 16][4];
  toFragments<HALVES>(weights, a);
  ColumnsOf<Element> columns[Values::CHUNKS / 2];
#pragma unroll
  for (int i = 0; i < Values::CHUNKS / 2; i++) {
#pragma unroll
    for (int j = 0; j < columns[i].EIGHTS; j++) {
      float(&sums)[4] = columns[i].sums[j];
      sums[0] = sums[1] = sums[2] = sums[3] = 0;
    }
  }
#pragma unroll
  for (int k = 0; k < UNIT_TOKENS / 16; k++) {
#pragma unroll
    for (int i = 0; i < Values::CHUNKS / 2; i++) {
      auto& sums = columns[i].sums;
      unsigned b[4];
      loadTransposed(b, values + Values::chunkOf(k * 16 + lane % 16, 2 * i + lane / 16));
#pragma unroll
      for (int j = 0; j < 2; j++) {
        if constexpr (Element::SCALE_BYTES == 0) {
          multiplyHalves(sums[j], a[k], b[2 * j], b[2 * j + 1]);
        } else {
          // What is transposed are pairs of bytes: of two tokens, an even column and the odd one
          // behind.
          multiplyHalves(sums[2 * j], a[k], bytesToHalves<0, 2>(b[2 * j]),
                         bytesToHalves<0, 2>(b[2 * j + 1]));
          multiplyHalves(sums[2 * j + 1], a[k], bytesToHalves<1, 3>(b[2 * j]),
                         bytesToHalves<1, 3>(b[2 * j + 1]));
        }
      }
    }
  }
#pragma unroll
  for (int i = 0; i < Values::CHUNKS / 2; i++) {
    if constexpr (Element::SCALE_BYTES > 0) {
#pragma unroll
      for (int j = 0; j < columns[i].EIGHTS; j += 2) {
        restore<HALVES>(columns[i].sums[j], columns[i].sums[j + 1], largest);
      }
    }
    take(i * columns[i].EIGHTS, columns[i]);
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
template <typename To, int THREADS>
struct UnitCopy {
  static constexpr int BYTES = To::BYTES;
  // Tokens whose scales are brought together: a block holds an even number of tokens.
  static constexpr int PAIRS = To::Element::SCALE_BYTES > 0 ? UNIT_TOKENS / 2 : 0;
  static constexpr int PLACES = UNIT_TOKENS + PAIRS;
  const Cache& cache;
  const long long* blocks;
  int kvHead;
  // The tokens that any row sees.
  int start;
  int end;
  int thread;

  // Where the keys of a unit's tokens begin, and behind them where the scales of two begin; 0 where
  // no row sees them.
  WEFT_DEVICE void locate(int unit, long long* places) const {
    for (int i = thread; i < UNIT_TOKENS; i += THREADS) {
      int token = unit * UNIT_TOKENS + i;
      places[i] =
          token >= start && token < end
              ? (long long)cache.elements(cache.find(blocks, token, 0, kvHead))
              : 0;
    }
    for (int i = thread; i < PAIRS; i += THREADS) {
      int token = unit * UNIT_TOKENS + 2 * i;
      places[UNIT_TOKENS + i] =
          token + 1 >= start && token < end
              ? (long long)cache.scale(cache.find(blocks, token, 0, kvHead))
              : 0;
    }
  }

  // Keys (half 0) or values, or both, one behind the other. Zeros where there are none, and behind
  // the elements of smaller heads: what is multiplied with weights of zero has to be a number.
  template <int HALVES = 1>
  WEFT_DEVICE void copy(const long long* places, int half, unsigned char* to) const {
    int chunk = thread % To::CHUNKS;
    bool within = chunk * 16 < cache.tokenBytes;
    int keys = cache.kvHeads * cache.blockTokens;
    long long values = (long long)keys * cache.tokenBytes;
    long long offset = half * values + chunk * 16;
#pragma unroll 8
    for (int token = thread / To::CHUNKS; token < UNIT_TOKENS; token += THREADS / To::CHUNKS) {
      long long place = places[token];
      bool there = within && place != 0;
#pragma unroll
      for (int i = 0; i < HALVES; i++) {
        copyAhead(to + i * BYTES + To::chunkOf(token, chunk),
                  there ? (const void*)(place + offset + i * values) : (const void*)blocks[0],
                  there);
      }
    }
#pragma unroll
    for (int i = 0; i < HALVES; i++) {
      for (int pair = thread; pair < PAIRS; pair += THREADS) {
        long long place = places[UNIT_TOKENS + pair];
        copyWordAhead(to + i * BYTES + To::SCALES + pair * 4,
                      place != 0 ? (const void*)(place + (half + i) * keys * 2ll)
                                 : (const void*)blocks[0],
                      place != 0);
      }
    }
  }
};

// Before the values of a unit that is kept are its maximum, its sum, and nothing up to 16 bytes.
#define KEPT_HEADER 4

// Puts a unit where it is merged with the others.
template <int HEAD, int HALVES, typename Element>
WEFT_DEVICE void keep(const Attention& attention, const Cache& cache, const Attended<HEAD>& unit,
                      long long head, int index, int count) {
  int lane = threadIdx.x % WARP;
#pragma unroll
  for (int i = 0; i < HALVES; i++) {
    int of = lane / 4 + i * 8;
    if (of < count) {
      float* to = attention.partials +
                  ((head + of) * attention.maxUnits + index) * (cache.headSize + KEPT_HEADER);
      if (lane % 4 == 0) {
        to[0] = unit.maxima[i];
        to[1] = unit.sums[i];
      }
#pragma unroll
      for (int j = 0; j < HEAD / 8; j++) {
        int element = Element::elementOf(j);
        if (element < cache.headSize) {
          *(float2*)(to + KEPT_HEADER + element) = {unit.values[j][2 * i], unit.values[j][2 * i + 1]};
        }
      }
    }
  }
}

// Puts one of the lane's rows where the next product takes it from.
template <int HEAD, typename Element>
WEFT_DEVICE void give(const Attention& attention, const Cache& cache, const Attended<HEAD>& total,
                      int i, long long at) {
#pragma unroll
  for (int j = 0; j < HEAD / 8; j++) {
    int element = Element::elementOf(j);
    if (element < cache.headSize) {
      attention.to.putTwo(at + element, total.values[j][2 * i] / total.sums[i],
                          total.values[j][2 * i + 1] / total.sums[i]);
    }
  }
}

// A row alone: one of its units, in a warp, kept for itself.
template <int HEAD, int HALVES, typename Element>
WEFT_DEVICE void attendUnit(const Attention& attention, const Cache& cache) {
  WEFT_DYNAMIC_SHARED(shared);
  using Copy = UnitCopy<Unit<HEAD, Element>, WARP>;
  __shared__ long long places[Copy::PLACES];
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
  int unit = blockIdx.y;
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
  int firstOfGroup = kvHead * group + firstHead;
  const unsigned short* query =
      attention.queries + ((long long)row * attention.heads + firstOfGroup) * cache.headSize;
  Queries<HEAD, Element> queries;
  queries.load(lane / 4 < count ? query + lane / 4 * cache.headSize : 0,
               lane / 4 + 8 < count ? query + (lane / 4 + 8) * cache.headSize : 0, cache.headSize);
  int from[2] = {start, start};
  int to[2] = {position + 1, position + 1};
  if (together) {
    waitForCopies<1>();
  } else {
    waitForCopies<0>();
  }
  warpBarrier();
  float scores[UNIT_TOKENS / 8][4];
  score<HEAD, HALVES, Element>(queries, keys, scores);
  hide<HALVES>(scores, unit, from, to);
  if (!together) {
    warpBarrier();
    ask(1);
  }
  Attended<HEAD> attended;
  weigh<HALVES>(scores, attended.maxima, attended.sums);
  waitForCopies<0>();
  warpBarrier();
  using Sums = ColumnsOf<Element>;
  gather<HEAD, HALVES, Element>(scores, values, [&](int first, const Sums& columns) {
#pragma unroll
    for (int j = 0; j < columns.EIGHTS; j++) {
#pragma unroll
      for (int i = 0; i < 4; i++) {
        attended.values[first + j][i] = columns.sums[j][i];
      }
    }
  });
  keep<HEAD, HALVES, Element>(attention, cache, attended,
                              (long long)blockIdx.z * attention.heads + firstOfGroup, unit, count);
}

#define MERGE_WARPS 2
// Batches of units that are on their way at the same time, and the one that is merged.
#define MERGE_DEPTH 4

// Merges the units of a row's head: a lane an element. How much of a unit is taken depends on the
// maxima alone, so a warp finds that of as many units as it has lanes at the same time; an element
// is then a multiplication and an addition for each, in their order.
WEFT_KERNEL_BESIDE(MERGE_WARPS* WARP, 4, merge_units, Attention attention, Cache cache) {
  __shared__ float4 batches[MERGE_WARPS][MERGE_DEPTH][WARP][WARP / 4];
  __shared__ float4 headers[MERGE_WARPS][MERGE_DEPTH][WARP];
  // Kept, taken, and what is taken of the unit's sum.
  __shared__ float4 parts[MERGE_WARPS][WARP];
  int lane = threadIdx.x % WARP;
  int warp = threadIdx.x / WARP;
  int headSize = cache.headSize;
  int firstElement = (blockIdx.z * MERGE_WARPS + warp) * WARP;
  letNextBegin();
  int row = attention.singles[blockIdx.x];
  int position = cache.positions[row];
  int lastUnit = position / UNIT_TOKENS;
  int firstUnit = firstSeen(position, attention.window) / UNIT_TOKENS;
  long long head = (long long)blockIdx.x * attention.heads + blockIdx.y;
  int stride = headSize + KEPT_HEADER;
  const float* units = attention.partials + head * attention.maxUnits * stride;
  waitForPrevious();
  if (firstElement >= headSize) {
    return;
  }
  auto ask = [&](int first, int to) {
    int element = firstElement + lane % 8 * 4;
#pragma unroll
    for (int i = lane / 8; i < WARP; i += WARP / 8) {
      bool there = first + i <= lastUnit && element < headSize;
      const float* from = units + (long long)(first + i) * stride + KEPT_HEADER + element;
      copyAhead(&batches[warp][to][i][lane % 8], there ? from : units, there);
    }
    bool there = first + lane <= lastUnit;
    copyAhead(&headers[warp][to][lane], there ? units + (long long)(first + lane) * stride : units,
              there);
    endOfCopies();
  };
  for (int i = 0; i < MERGE_DEPTH - 1; i++) {
    ask(firstUnit + i * WARP, i);
  }
  float maximum = -INFINITE;
  float sum = 0;
  float value = 0;
  int batch = 0;
  for (int first = firstUnit; first <= lastUnit; first += WARP) {
    waitForCopies<MERGE_DEPTH - 2>();
    warpBarrier();
    ask(first + (MERGE_DEPTH - 1) * WARP, (batch + MERGE_DEPTH - 1) % MERGE_DEPTH);
    float4 own = headers[warp][batch][lane];
    float largest = first + lane <= lastUnit ? own.x : -INFINITE;
    // Of the units before the lane's own, and of all.
    float before = maximum;
    float all = largest;
#pragma unroll
    for (int distance = 1; distance < WARP; distance *= 2) {
      float other = fromOtherLane(all, distance);
      before = (lane & distance) != 0 ? fmaxf(before, other) : before;
      all = fmaxf(all, other);
    }
    maximum = fmaxf(maximum, all);
    Merge both = merge(before, largest);
    parts[warp][lane] = {both.kept, both.taken, own.y * both.taken, 0};
    warpBarrier();
    const float* values = (const float*)batches[warp][batch] + lane;
    int count = lastUnit + 1 - first < WARP ? lastUnit + 1 - first : WARP;
#pragma unroll 8
    for (int i = 0; i < count; i++) {
      float4 part = parts[warp][i];
      value = fmaf(value, part.x, values[i * WARP] * part.y);
      sum = fmaf(sum, part.x, part.z);
    }
    batch = (batch + 1) % MERGE_DEPTH;
  }
  waitForCopies<0>();
  if (firstElement + lane < headSize) {
    attention.to.put(
        ((long long)row * attention.heads + blockIdx.y) * headSize + firstElement + lane,
        value / sum);
  }
}

// How a tile is multiplied on every device, warp by warp.
template <int HEAD, typename Of>
struct Narrow {
  using Element = Of;
  using To = Unit<HEAD, Element>;
  using Sums = ColumnsOf<Element>;

  static WEFT_DEVICE void show() {}

  static WEFT_DEVICE void multiply(const Queries<HEAD, Element>& queries,
                                   const unsigned char* keys,
                                   float (&scores)[UNIT_TOKENS / 8][4]) {
    score<HEAD, BOTH, Element>(queries, keys, scores);
  }

  template <typename Take>
  static WEFT_DEVICE void sum(float (&weights)[UNIT_TOKENS / 8][4], const unsigned char* values,
                              Take take) {
    gather<HEAD, BOTH, Element>(weights, values, take);
  }
};

// Rows of one sequence, as many as fill the fragments of TILE_WARPS warps with their heads.
template <int HEAD, typename Way>
WEFT_DEVICE void attendTile(const Attention& attention, const Cache& cache) {
  WEFT_DYNAMIC_SHARED(shared);
  using Element = typename Way::Element;
  using Copy = UnitCopy<typename Way::To, TILE_WARPS * WARP>;
  __shared__ long long places[2][Copy::PLACES];
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
    copy.template copy<2>(places[unit % 2], 0, shared + unit % 2 * 2 * Copy::BYTES);
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
  int rowsAt[2];
  const unsigned short* query[2];
#pragma unroll
  for (int i = 0; i < 2; i++) {
    int index = threadIdx.x / WARP * FRAGMENT_ROWS + lane / 4 + i * 8;
    int row = index / heads;
    int head = kvHead * group + firstHead + index % heads;
    bool there = row < rows;
    rowsAt[i] = there ? (firstRow + row) * attention.heads + head : -1;
    query[i] = there ? attention.queries + (long long)rowsAt[i] * cache.headSize : 0;
    end[i] = !there ? 0 : length != 0 ? length : firstPosition + row + 1;
    from[i] = there ? firstSeen(firstPosition + row, attention.window) : 0;
  }
  Queries<HEAD, Element> queries;
  queries.load(query[0], query[1], cache.headSize);
  Attended<HEAD> total;
  clear(total);
  for (; unit <= lastUnit; unit++) {
    waitForCopies<0>();
    Way::show();
    __syncthreads();
    if (unit < lastUnit) {
      ask(unit + 1);
    }
    const unsigned char* keys = shared + unit % 2 * 2 * Copy::BYTES;
    float scores[UNIT_TOKENS / 8][4];
    Way::multiply(queries, keys, scores);
    hide<BOTH>(scores, unit, from, end);
    float maxima[2];
    float sums[2];
    weigh<BOTH>(scores, maxima, sums);
    // What the unit adds to those before it.
    Merge both[2];
#pragma unroll
    for (int i = 0; i < 2; i++) {
      both[i] = merge(total.maxima[i], maxima[i]);
      total.sums[i] = merged(both[i], total.sums[i], sums[i]);
      total.maxima[i] = both[i].maximum;
    }
    using Sums = typename Way::Sums;
    Way::sum(scores, keys + Copy::BYTES, [&](int first, const Sums& columns) {
#pragma unroll
      for (int j = 0; j < columns.EIGHTS; j++) {
        float(&values)[4] = total.values[first + j];
#pragma unroll
        for (int i = 0; i < 4; i++) {
          values[i] = merged(both[i / 2], values[i], columns.sums[j][i]);
        }
      }
    });
    // What was there was read before the barrier.
    copy.locate(unit + 2, places[unit % 2]);
  }
#pragma unroll
  for (int i = 0; i < 2; i++) {
    if (rowsAt[i] >= 0) {
      give<HEAD, Element>(attention, cache, total, i, (long long)rowsAt[i] * cache.headSize);
    }
  }
}

#define WEFT_ATTEND_UNITS(HEAD, Element, name, HALVES)                                         \
  WEFT_KERNEL_BESIDE(WARP, (HEAD <= 128 ? 12 : 6), name, Attention attention, Cache cache) {    \
    attendUnit<HEAD, HALVES, Element>(attention, cache);                                        \
  }

#define WEFT_ATTEND(HEAD, Element, of)                                                         \
  WEFT_ATTEND_UNITS(HEAD, Element, attend_units_1_##of, UPPER)                                  \
  WEFT_ATTEND_UNITS(HEAD, Element, attend_units_2_##of, BOTH)                                   \
  WEFT_KERNEL(TILE_WARPS* WARP, attend_tile_##of, Attention attention, Cache cache) {           \
    attendTile<HEAD, Narrow<HEAD, Element>>(attention, cache);                                                \
  }
