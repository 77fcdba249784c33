// What a decoder's step does beside products. Rows of a step lie one after the other; `positions`
// and `sequences` say whose they are.
#define ROW_THREADS 256

// The rows of a table that the tokens name.
template <typename Format>
WEFT_DEVICE void embed(const unsigned char* table, long long rowBytes, const int* tokens, float* to,
                       int width) {
  const unsigned char* row = table + tokens[blockIdx.x] * rowBytes;
  float* out = to + (long long)blockIdx.x * width;
  for (int unit = threadIdx.x; unit < width / 8; unit += ROW_THREADS) {
    float decoded[8];
    Format::decode(Format::load(row, unit), unit, decoded);
    for (int i = 0; i < 4; i++) {
      out[Format::left(unit) + i] = decoded[i];
      out[Format::right(unit) + i] = decoded[i + 4];
    }
  }
}

#define WEFT_EMBED(Format, name)                                                               \
  WEFT_KERNEL(ROW_THREADS, embed_##name, const unsigned char* table, long long rowBytes,       \
              const int* tokens, float* to, int width) {                                       \
    embed<Format>(table, rowBytes, tokens, to, width);                                         \
  }

WEFT_FORMATS(WEFT_EMBED)

// RMSNorm of the rows that `chosen` names, or of all where it is null.
WEFT_KERNEL(ROW_THREADS, normalize, const float* x, const int* chosen, const float* weight,
            float* y, int width, float epsilon) {
  __shared__ float partial[ROW_THREADS / WARP];
  int from = chosen != 0 ? chosen[blockIdx.x] : blockIdx.x;
  const float* row = x + (long long)from * width;
  float* out = y + (long long)blockIdx.x * width;
  float squares = 0;
  for (int i = threadIdx.x; i < width; i += ROW_THREADS) {
    squares = fmaf(row[i], row[i], squares);
  }
  squares = warpSum(squares);
  if (threadIdx.x % WARP == 0) {
    partial[threadIdx.x / WARP] = squares;
  }
  __syncthreads();
  float total = 0;
  for (int i = 0; i < ROW_THREADS / WARP; i++) {
    total = total + partial[i];
  }
  float scale = 1 / sqrtf(total / width + epsilon);
  for (int i = threadIdx.x; i < width; i += ROW_THREADS) {
    out[i] = row[i] * scale * weight[i];
  }
}

// The cosine and sine of each row's position times each pair's frequency.
WEFT_KERNEL(ROW_THREADS, angles, const int* positions, const double* frequencies, float2* to,
            int pairs) {
  for (int pair = threadIdx.x; pair < pairs; pair += ROW_THREADS) {
    double angle = positions[blockIdx.x] * frequencies[pair];
    float2 turn;
    turn.x = (float)cos(angle);
    turn.y = (float)sin(angle);
    to[(long long)blockIdx.x * pairs + pair] = turn;
  }
}

// How a layer's keys and values lie in a block of the cache:
// [layer][key, value][KV head][token][element], float16.
struct Cache {
  const int* positions;
  const int* sequences;
  // Of each sequence, the index of its first block in `blocks`.
  const int* firstBlocks;
  // Addresses of blocks.
  const long long* blocks;
  long long layerBytes;
  int layer;
  int kvHeads;
  int headSize;
  int blockTokens;

  // Where a token's key (half 0) or value (half 1) begins.
  WEFT_DEVICE unsigned short* at(int sequence, int token, int half, int head) const {
    long long block = blocks[firstBlocks[sequence] + token / blockTokens];
    long long run = (long long)half * kvHeads + head;
    return (unsigned short*)(block + layer * layerBytes) +
           (run * blockTokens + token % blockTokens) * headSize;
  }
};

WEFT_DEVICE int pairOf(int element, int pairs, int interleaved) {
  return interleaved ? element / 2 : element % pairs;
}

// An element of a head after its pair has been turned.
WEFT_DEVICE float turned(const float* head, int element, const float2* turns, int pairs,
                         int interleaved) {
  if (element >= 2 * pairs) {
    return head[element];
  }
  float2 turn = turns[pairOf(element, pairs, interleaved)];
  int second = interleaved ? element % 2 : element / pairs;
  int other = interleaved ? element ^ 1 : (second ? element - pairs : element + pairs);
  return second ? head[other] * turn.y + head[element] * turn.x
                : head[element] * turn.x - head[other] * turn.y;
}

// Turns queries and keys by their positions, and writes keys and values into the cache. A row of
// `x` holds all query heads, all key heads, all value heads.
WEFT_KERNEL(ROW_THREADS, rotate, const float* x, float* queries, Cache cache, const float2* turns,
            int heads, int pairs, int interleaved) {
  int row = blockIdx.x;
  int headSize = cache.headSize;
  int queryWidth = heads * headSize;
  int kvWidth = cache.kvHeads * headSize;
  const float* from = x + (long long)row * (queryWidth + 2 * kvWidth);
  float* query = queries + (long long)row * queryWidth;
  const float2* own = turns + (long long)row * pairs;
  int sequence = cache.sequences[row];
  int position = cache.positions[row];
  for (int i = threadIdx.x; i < queryWidth; i += ROW_THREADS) {
    int element = i % headSize;
    query[i] = turned(from + (i - element), element, own, pairs, interleaved);
  }
  for (int i = threadIdx.x; i < kvWidth; i += ROW_THREADS) {
    int element = i % headSize;
    int head = i / headSize;
    float key = turned(from + queryWidth + (i - element), element, own, pairs, interleaved);
    cache.at(sequence, position, 0, head)[element] = floatToHalf(key);
    cache.at(sequence, position, 1, head)[element] =
        floatToHalf(from[queryWidth + kvWidth + i]);
  }
}

// activation(gate) * up, of rows that hold all gates and then all ups.
WEFT_KERNEL(ROW_THREADS, activate, const float* x, float* y, int width, int gelu) {
  int i = blockIdx.y * ROW_THREADS + threadIdx.x;
  if (i >= width) {
    return;
  }
  const float* row = x + (long long)blockIdx.x * 2 * width;
  float gate = row[i];
  float activated;
  if (gelu) {
    float cube = gate * gate * gate;
    activated = 0.5f * gate * (1 + tanhf(0.7978845608f * (gate + 0.044715f * cube)));
  } else {
    activated = gate / (1 + expf(-gate));
  }
  y[(long long)blockIdx.x * width + i] = activated * row[width + i];
}

// The largest logit's index, the lowest of equal ones; -1 where a logit is not a number or the
// largest is infinite.
WEFT_KERNEL(ROW_THREADS, largest, const float* logits, int width, int* to) {
  __shared__ float values[ROW_THREADS / WARP];
  __shared__ int indices[ROW_THREADS / WARP];
  __shared__ int wrong[ROW_THREADS / WARP];
  const float* row = logits + (long long)blockIdx.x * width;
  float best = -INFINITE;
  int index = 0x7fffffff;
  int bad = 0;
  for (int i = threadIdx.x; i < width; i += ROW_THREADS) {
    float value = row[i];
    bad |= value != value;
    if (value > best) {
      best = value;
      index = i;
    }
  }
  for (int distance = WARP / 2; distance > 0; distance /= 2) {
    float other = fromOtherLane(best, distance);
    int otherIndex = intFromOtherLane(index, distance);
    bad |= intFromOtherLane(bad, distance);
    if (other > best || (other == best && otherIndex < index)) {
      best = other;
      index = otherIndex;
    }
  }
  if (threadIdx.x % WARP == 0) {
    values[threadIdx.x / WARP] = best;
    indices[threadIdx.x / WARP] = index;
    wrong[threadIdx.x / WARP] = bad;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int warp = 1; warp < ROW_THREADS / WARP; warp++) {
      bad |= wrong[warp];
      if (values[warp] > best || (values[warp] == best && indices[warp] < index)) {
        best = values[warp];
        index = indices[warp];
      }
    }
    to[blockIdx.x] = bad || best == INFINITE || best == -INFINITE ? -1 : index;
  }
}
