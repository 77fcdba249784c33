// Chooses tokens from rows of logits as `HostSampler` does, a group of blocks a row: one block, or
// where rows are few some that run together, of which each reads a part of the row. What a token
// weighs is a whole number, so sums of weights are exact and the same in any order. Nothing is
// sorted: where tokens are taken in order of their logits, the one at which the sum of weights
// reaches a target is searched for by the bits of its logit, the highest first.

#define SAMPLE_THREADS LARGEST_THREADS
#define SAMPLE_WARPS (SAMPLE_THREADS / WARP)
#define SAMPLE_AHEAD 8

// How a token is to be chosen: as `StepSampling.java` writes it.
struct Sample {
  // 1 is off.
  double topP;
  // What is added to the largest logit to have the least that may be drawn.
  double belowLargest;
  // The draw, in [0, 1).
  double uniform;
  // log2(e) over the temperature: a float32, and what is missing of it.
  float scale;
  float scaleRest;
  float repetitionPenalty;
  float frequencyPenalty;
  float presencePenalty;
  // Which of the logits.
  int row;
  int firstAdjustment;
  int adjustments;
  // 0 is off.
  int topK;
  // Of the most likely tokens, how many are to be told; -1 for no log-probability at all.
  int alternatives;
  // 0 for the largest logit.
  int drawn;
};

#define BLOCKED 1
// Is in the text, for the repetition penalty.
#define REPEATED 2

// What is changed of a token's logit before one is chosen: as `LogitAdjustments.java` writes it.
struct Adjustment {
  int token;
  int flags;
  // How often it was generated, for the penalties on that.
  int generated;
  float bias;
  // What it was.
  float logit;
};

// A sum of weights, or of counts.
typedef unsigned long long Sum;

struct Answer {
  // Of the exponentials of what logits are below the largest.
  Sum sum;
  // -1 where there is none, for logits that are not numbers or not finite.
  int token;
  float logit;
  float largest;
};

struct Alternative {
  int token;
  float logit;
};

// A block by itself.
struct Alone {
  enum { BLOCKS = 1 };
  WEFT_DEVICE static int rank() { return 0; }
  WEFT_DEVICE static void barrier() { __syncthreads(); }
  template <typename Type>
  WEFT_DEVICE static Type* of(Type* own, int, int) {
    return own;
  }
};

#ifdef WEFT_TOGETHER
#define TOGETHER 8
struct Together {
  enum { BLOCKS = TOGETHER };
  WEFT_DEVICE static int rank() { return rankOfBlock(); }
  WEFT_DEVICE static void barrier() { barrierOfBlocks(); }
  template <typename Type>
  WEFT_DEVICE static Type* of(Type* own, int count, int rank) {
    return ofBlock(own, count, rank);
  }
};
#endif

template <typename Group>
WEFT_DEVICE int threadOf() {
  return Group::rank() * SAMPLE_THREADS + threadIdx.x;
}

template <typename Group>
WEFT_DEVICE void adjust(float* row, Adjustment* adjustments, const Sample& sample) {
  for (int i = threadOf<Group>(); i < sample.adjustments; i += Group::BLOCKS * SAMPLE_THREADS) {
    Adjustment own = adjustments[i];
    float logit = row[own.token];
    adjustments[i].logit = logit;
    logit = logit + own.bias;
    if (own.flags & BLOCKED) {
      logit = -INFINITE;
    }
    if (own.flags & REPEATED) {
      logit = logit > 0 ? logit / sample.repetitionPenalty : logit * sample.repetitionPenalty;
    }
    if (own.generated > 0) {
      logit = logit - (sample.frequencyPenalty + sample.presencePenalty);
    }
    if (sample.frequencyPenalty != 0) {
      // One by one: so the host rounds.
      for (int more = 1; more < own.generated; more++) {
        logit = logit - sample.frequencyPenalty;
      }
    }
    row[own.token] = logit;
  }
  Group::barrier();
}

template <typename Group>
WEFT_DEVICE void restore(float* row, const Adjustment* adjustments, const Sample& sample) {
  Group::barrier();
  for (int i = threadOf<Group>(); i < sample.adjustments; i += Group::BLOCKS * SAMPLE_THREADS) {
    row[adjustments[i].token] = adjustments[i].logit;
  }
  Group::barrier();
}

// Keys are in the order of their logits, as numbers without sign. Both zeros have the same.
WEFT_DEVICE unsigned keyOf(float logit) {
  unsigned bits = floatToBits(logit + 0.0f);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

WEFT_DEVICE float logitOf(unsigned key) {
  return bitsToFloat(key & 0x80000000u ? key & 0x7fffffffu : ~key);
}

// The least key that may be drawn: of a finite logit, and not below the threshold.
WEFT_DEVICE unsigned leastKey(double threshold) {
  float rounded = (float)threshold;
  unsigned key = keyOf(rounded);
  if ((double)rounded < threshold) {
    key++;
  }
  unsigned finite = keyOf(-INFINITE) + 1;
  return key > finite ? key : finite;
}

// The largest logit's weight is 2 to the power of this, so that those of two million are 63 bits.
#define WEIGHT_BITS 42
#define MANTISSA_BITS 30

// 2 to the power of (below * scale), for what is not above 0: within a five millionth of it and one
// unit, the same bits on every device.
WEFT_DEVICE Sum weightOf(float below, float scale, float scaleRest) {
  float whole = below * scale;
  if (!(whole > -WEIGHT_BITS - 2)) {
    return 0;
  }
  float rest = fmaf(below, scale, -whole) + below * scaleRest;
  float power = rintf(whole);
  float part = whole - power + rest;
  // 2 to the power of `part`, less 1: the powers of ln(2) over factorials.
  float above = 1.5252734e-5f;
  above = fmaf(above, part, 1.5403530e-4f);
  above = fmaf(above, part, 1.3333558e-3f);
  above = fmaf(above, part, 9.6181291e-3f);
  above = fmaf(above, part, 5.5504109e-2f);
  above = fmaf(above, part, 2.4022651e-1f);
  above = fmaf(above, part, 6.9314718e-1f);
  above = above * part;
  unsigned mantissa = (1u << MANTISSA_BITS) + (int)rintf(above * (1 << MANTISSA_BITS));
  return (Sum)mantissa << (WEIGHT_BITS - MANTISSA_BITS) >> -(int)power;
}

// Calls `each(token, logit)` for every `stride`th token from `first` on.
template <typename Each>
WEFT_DEVICE void eachLogit(const float* row, int first, int end, int stride, Each each) {
  for (int start = first; start < end; start += SAMPLE_AHEAD * stride) {
    float ahead[SAMPLE_AHEAD];
#pragma unroll
    for (int j = 0; j < SAMPLE_AHEAD; j++) {
      int token = start + j * stride;
      ahead[j] = token < end ? row[token] : 0;
    }
#pragma unroll
    for (int j = 0; j < SAMPLE_AHEAD; j++) {
      int token = start + j * stride;
      if (token < end) {
        each(token, ahead[j]);
      }
    }
  }
}

WEFT_DEVICE Sum warpTotal(Sum sum) {
  for (int distance = WARP / 2; distance > 0; distance /= 2) {
    unsigned low = intFromOtherLane((int)sum, distance);
    unsigned high = intFromOtherLane((int)(sum >> 32), distance);
    sum += (Sum)high << 32 | low;
  }
  return sum;
}

// Puts the sum of each warp's lanes where every thread of the block sees it.
WEFT_DEVICE void showWarps(Sum own, Sum* warps) {
  own = warpTotal(own);
  __syncthreads();
  if (threadIdx.x % WARP == 0) {
    warps[threadIdx.x / WARP] = own;
  }
  __syncthreads();
}

// The same where every thread of the group sees it.
template <typename Group>
WEFT_DEVICE void showAllWarps(Sum own, Sum* warps) {
  own = warpTotal(own);
  Group::barrier();
  int lane = threadIdx.x % WARP;
  if (lane < Group::BLOCKS) {
    Group::of(warps, Group::BLOCKS * SAMPLE_WARPS, lane)[threadOf<Group>() / WARP] = own;
  }
  Group::barrier();
}

WEFT_DEVICE Sum total(const Sum* sums, int count) {
  Sum sum = 0;
  for (int i = 0; i < count; i++) {
    sum += sums[i];
  }
  return sum;
}

// The first of so many sums at which all up to it reach the target, of which is left what those
// before it do not have.
WEFT_DEVICE int reached(const Sum* sums, int count, Sum& target) {
  int i = 0;
  while (i < count - 1 && sums[i] < target) {
    target -= sums[i++];
  }
  return i;
}

// What all tokens of a row measure: `measure(key, logit)` of each.
template <typename Group, typename Measure>
WEFT_DEVICE Sum sumOf(const float* row, int width, Sum* warps, Measure measure) {
  Sum sum = 0;
  eachLogit(row, threadOf<Group>(), width, Group::BLOCKS * SAMPLE_THREADS,
            [&](int, float logit) { sum += measure(keyOf(logit), logit); });
  showAllWarps<Group>(sum, warps);
  return total(warps, Group::BLOCKS * SAMPLE_WARPS);
}

// The token at which what tokens measure, added in their order, reaches the target.
template <typename Group, typename Measure>
WEFT_DEVICE int tokenAt(const float* row, int width, Sum* warps, Sum target, Measure measure) {
  int from = 0;
  int count = width;
  while (count > 1) {
    int part = (count + Group::BLOCKS * SAMPLE_WARPS - 1) / (Group::BLOCKS * SAMPLE_WARPS);
    int start = part * (threadOf<Group>() / WARP);
    int end = start + part < count ? start + part : count;
    Sum sum = 0;
    eachLogit(row + from, start + threadIdx.x % WARP, end, WARP,
              [&](int, float logit) { sum += measure(keyOf(logit), logit); });
    showAllWarps<Group>(sum, warps);
    int chosen = 0;
    if (Group::BLOCKS > 1) {
      // Not one by one: first whose warp it is.
      Sum blocks[Group::BLOCKS];
      for (int block = 0; block < Group::BLOCKS; block++) {
        blocks[block] = warpTotal(warps[block * SAMPLE_WARPS + threadIdx.x % WARP]);
      }
      chosen = reached(blocks, Group::BLOCKS, target) * SAMPLE_WARPS;
    }
    chosen += reached(warps + chosen, SAMPLE_WARPS, target);
    from += chosen * part;
    count = part < count - chosen * part ? part : count - chosen * part;
  }
  return from;
}

// What tokens measure by some bits of their keys: the highest bits first, in `top`, which searches
// share, and then those behind the bits that were found.
#define BIN_BITS 11
#define BINS (1 << BIN_BITS)
#define TOP_SHIFT (32 - BIN_BITS)
#define MIDDLE_SHIFT (TOP_SHIFT - BIN_BITS)

struct Bins {
  Sum* top;
  Sum* deeper;
  Sum* warps;
};

// Adds to a sum that other threads add to. The device has no such instruction for 64 bits in shared
// memory.
WEFT_DEVICE void addToSum(Sum* sum, Sum value) {
  unsigned* words = (unsigned*)sum;
  unsigned low = (unsigned)value;
  unsigned before = addToWord(words, low);
  unsigned high = (unsigned)(value >> 32) + (before + low < before ? 1 : 0);
  if (high != 0) {
    addToWord(words + 1, high);
  }
}

// Gives every block of the group the sums of all: each block adds a part of them.
template <typename Group>
WEFT_DEVICE void addBlocks(Sum* bins) {
  int part = BINS / Group::BLOCKS;
  for (int i = threadIdx.x; i < part; i += SAMPLE_THREADS) {
    int bin = Group::rank() * part + i;
    Sum sum = 0;
    for (int rank = 0; rank < Group::BLOCKS; rank++) {
      sum += Group::of(bins, BINS, rank)[bin];
    }
    for (int rank = 0; rank < Group::BLOCKS; rank++) {
      Group::of(bins, BINS, rank)[bin] = sum;
    }
  }
  Group::barrier();
}

// The bins of the keys' bits above `shift`, of those that `measure` does not give 0: the largest
// keys first.
template <typename Group, typename Measure>
WEFT_DEVICE void fill(Sum* bins, const float* row, int width, int shift, Measure measure) {
  __syncthreads();
  for (int bin = threadIdx.x; bin < BINS; bin += SAMPLE_THREADS) {
    bins[bin] = 0;
  }
  __syncthreads();
  eachLogit(row, threadOf<Group>(), width, Group::BLOCKS * SAMPLE_THREADS, [&](int, float logit) {
    unsigned key = keyOf(logit);
    Sum sum = measure(key, logit);
    if (sum != 0) {
      addToSum(&bins[~(key >> shift) & (BINS - 1)], sum);
    }
  });
  Group::barrier();
  if (Group::BLOCKS > 1) {
    addBlocks<Group>(bins);
  }
}

template <typename Group, typename Measure>
WEFT_DEVICE void fillTop(const Bins& bins, const float* row, int width, Measure measure) {
  fill<Group>(bins.top, row, width, TOP_SHIFT, measure);
}

#define BINS_OF_WARP (BINS / SAMPLE_WARPS)

WEFT_DEVICE void showBins(const Sum* bins, Sum* warps) {
  const Sum* own = bins + threadIdx.x / WARP * BINS_OF_WARP;
  Sum sum = 0;
  for (int bin = threadIdx.x % WARP; bin < BINS_OF_WARP; bin += WARP) {
    sum += own[bin];
  }
  showWarps(sum, warps);
}

WEFT_DEVICE Sum totalOfTop(const Bins& bins) {
  showBins(bins.top, bins.warps);
  return total(bins.warps, SAMPLE_WARPS);
}

// The bits of the key that the target falls on.
WEFT_DEVICE unsigned binAt(const Sum* bins, Sum* warps, Sum& target) {
  showBins(bins, warps);
  int first = reached(warps, SAMPLE_WARPS, target) * BINS_OF_WARP;
  return ~(first + reached(bins + first, BINS_OF_WARP, target)) & (BINS - 1);
}

// The key at which what tokens measure, added in order of their logits, reaches the target, of which
// is left what tokens with larger ones do not have. `top` is filled by the same measure.
template <typename Group, typename Measure>
WEFT_DEVICE unsigned keyAt(const Bins& bins, const float* row, int width, Sum& target,
                           Measure measure) {
  unsigned high = binAt(bins.top, bins.warps, target);
  fill<Group>(bins.deeper, row, width, MIDDLE_SHIFT, [&](unsigned key, float logit) -> Sum {
    return key >> TOP_SHIFT == high ? measure(key, logit) : 0;
  });
  high = high << BIN_BITS | binAt(bins.deeper, bins.warps, target);
  // The last bits are fewer: those in front of them are the same for all.
  fill<Group>(bins.deeper, row, width, 0, [&](unsigned key, float logit) -> Sum {
    return key >> MIDDLE_SHIFT == high ? measure(key, logit) : 0;
  });
  unsigned low = binAt(bins.deeper, bins.warps, target);
  return high << MIDDLE_SHIFT | (low & ((1u << MIDDLE_SHIFT) - 1));
}

// The least sum that is not below a share of another: 1 at least.
WEFT_DEVICE Sum shareOf(Sum sum, double share) {
  Sum least = (Sum)ceil(share * (double)sum);
  return least < 1 ? 1 : least < sum ? least : sum;
}

// What is reached by the first token whose sum is above a draw's part of another.
WEFT_DEVICE Sum drawOf(Sum sum, double uniform) {
  Sum least = (Sum)floor(uniform * (double)sum) + 1;
  return least < sum ? least : sum;
}

// Draws a token. With neither top-k nor top-p tokens are taken in their own order, else in order of
// their logits, those with the same in their own.
template <typename Group>
WEFT_DEVICE int draw(const Bins& bins, const float* row, int width, float largest,
                     const Sample& sample) {
  unsigned least = leastKey(largest + sample.belowLargest);
  float scale = sample.scale;
  float scaleRest = sample.scaleRest;
  auto weigh = [&](unsigned key, float logit) -> Sum {
    return key >= least ? weightOf(logit - largest, scale, scaleRest) : 0;
  };
  Sum limit = 0;
  bool topK = false;
  if (sample.topK > 0 && sample.topK < width) {
    auto count = [&](unsigned key, float) -> Sum { return key >= least; };
    fillTop<Group>(bins, row, width, count);
    topK = sample.topK < totalOfTop(bins);
    if (topK) {
      Sum equal = sample.topK;
      unsigned last = keyAt<Group>(bins, row, width, equal, count);
      limit = sumOf<Group>(row, width, bins.warps, [&](unsigned key, float logit) -> Sum {
        return key > last ? weigh(key, logit) : 0;
      });
      limit += equal * weigh(last, logitOf(last));
    }
  }
  if (!topK && sample.topP >= 1) {
    limit = sumOf<Group>(row, width, bins.warps, weigh);
    return tokenAt<Group>(row, width, bins.warps, drawOf(limit, sample.uniform), weigh);
  }
  fillTop<Group>(bins, row, width, weigh);
  if (!topK) {
    limit = totalOfTop(bins);
  }
  if (sample.topP < 1) {
    Sum share = shareOf(limit, sample.topP);
    Sum left = share;
    unsigned last = keyAt<Group>(bins, row, width, left, weigh);
    Sum each = weigh(last, logitOf(last));
    // With the whole of the token that reaches the share.
    limit = share - left + ((left - 1) / each + 1) * each;
  }
  Sum left = drawOf(limit, sample.uniform);
  unsigned chosen = keyAt<Group>(bins, row, width, left, weigh);
  return tokenAt<Group>(row, width, bins.warps, left, [&](unsigned key, float logit) -> Sum {
    return key == chosen ? weigh(key, logit) : 0;
  });
}

// log2(e): a float32, and what is missing of it.
#define NATURAL_SCALE 1.44269502f
#define NATURAL_SCALE_REST 1.92596299e-8f

// The most likely tokens, in no order: of equal logits, the first ones.
template <typename Group>
WEFT_DEVICE void tellMostLikely(const Bins& bins, const float* row, int width, int count,
                                Alternative* to) {
  WEFT_SHARED_OF(Group, unsigned, told, 1);
  auto one = [](unsigned, float) -> Sum { return 1; };
  fillTop<Group>(bins, row, width, one);
  Sum equal = count;
  unsigned last = keyAt<Group>(bins, row, width, equal, one);
  int lastToken = tokenAt<Group>(row, width, bins.warps, equal,
                          [&](unsigned key, float) -> Sum { return key == last; });
  if (threadIdx.x == 0) {
    *told = 0;
  }
  Group::barrier();
  unsigned* toldByAll = Group::of(told, 1, 0);
  eachLogit(row, threadOf<Group>(), width, Group::BLOCKS * SAMPLE_THREADS,
            [&](int token, float logit) {
    unsigned key = keyOf(logit);
    if (key > last || (key == last && token <= lastToken)) {
      to[addToWord(toldByAll, 1)] = {token, logit};
    }
  });
}

struct Choice {
  float* logits;
  int width;
  // Each row's largest logit, and afterwards its token, or -1.
  int* chosen;
  const Sample* samples;
  Adjustment* adjustments;
  Answer* answers;
  Alternative* alternatives;
  // From a sample's alternatives to the next's.
  int most;
};

// Chooses a sample's token, and says what its log-probabilities are made of. The logits are
// afterwards what they were.
template <typename Group>
WEFT_DEVICE void choose(const Choice& all) {
  WEFT_SHARED_OF(Group, Sum, top, BINS);
  WEFT_SHARED_OF(Group, Sum, deeper, BINS);
  WEFT_SHARED_OF(Group, Sum, warps, Group::BLOCKS * SAMPLE_WARPS);
  Bins bins = {top, deeper, warps};
  int width = all.width;
  int number = blockIdx.x / Group::BLOCKS;
  bool answers = threadOf<Group>() == 0;
  const Sample& sample = all.samples[number];
  Answer& answer = all.answers[number];
  Adjustment* adjustments = all.adjustments + sample.firstAdjustment;
  float* row = all.logits + (long long)sample.row * width;
  int likeliest = all.chosen[sample.row];
  int token = likeliest;
  if (sample.adjustments > 0) {
    adjust<Group>(row, adjustments, sample);
    token = largestOf(row, width);
  }
  if (token >= 0 && sample.drawn) {
    token = draw<Group>(bins, row, width, row[token], sample);
  }
  restore<Group>(row, adjustments, sample);
  if (sample.alternatives >= 0 && likeliest < 0) {
    token = -1;
  }
  if (token >= 0 && sample.alternatives >= 0) {
    float highest = row[likeliest];
    Sum sum = sumOf<Group>(row, width, bins.warps, [&](unsigned, float logit) -> Sum {
      return weightOf(logit - highest, NATURAL_SCALE, NATURAL_SCALE_REST);
    });
    if (answers) {
      answer.sum = sum;
      answer.logit = row[token];
      answer.largest = highest;
    }
    int count = sample.alternatives < width ? sample.alternatives : width;
    if (count > 0) {
      Alternative* to = all.alternatives + (long long)number * all.most;
      tellMostLikely<Group>(bins, row, width, count, to);
    }
  }
  if (answers) {
    answer.token = token;
    all.chosen[sample.row] = token;
  }
  // No block leaves while others read what it has.
  Group::barrier();
}

WEFT_KERNEL_BESIDE(SAMPLE_THREADS, 1, sample, Choice all) {
  choose<Alone>(all);
}

#ifdef WEFT_TOGETHER
WEFT_KERNEL_TOGETHER(SAMPLE_THREADS, TOGETHER, sample_together, Choice all) {
  choose<Together>(all);
}
#endif
