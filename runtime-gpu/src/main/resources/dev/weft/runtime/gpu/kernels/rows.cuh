// What kernels pass on to each other.

// Threads of a block that has a row.
#define ROW_THREADS 256

// What a projection gave: of each row the sums of its slices, which are added in order.
struct Slices {
  const float* sums;
  int count;
  long long stride;

  WEFT_DEVICE float at(long long index) const {
    float sum = sums[index];
    for (int slice = 1; slice < count; slice++) {
      sum = sum + sums[index + slice * stride];
    }
    return sum;
  }

  WEFT_DEVICE float4 fourAt(long long index) const {
    float4 sum = *(const float4*)(sums + index);
    for (int slice = 1; slice < count; slice++) {
      float4 other = *(const float4*)(sums + index + slice * stride);
      sum.x = sum.x + other.x;
      sum.y = sum.y + other.y;
      sum.z = sum.z + other.z;
      sum.w = sum.w + other.w;
    }
    return sum;
  }
};

// Where a projection's rows are taken from: float32 for weights of float32, bfloat16 for others; one
// of them may be null.
struct Activations {
  float* exact;
  unsigned short* bfloats;

  WEFT_DEVICE void put(long long index, float value) const {
    if (exact != 0) {
      exact[index] = value;
    }
    if (bfloats != 0) {
      bfloats[index] = (unsigned short)toBfloats(value, 0);
    }
  }

  WEFT_DEVICE void putTwo(long long index, float first, float second) const {
    if (exact != 0) {
      *(float2*)(exact + index) = {first, second};
    }
    if (bfloats != 0) {
      *(unsigned*)(bfloats + index) = toBfloats(first, second);
    }
  }

  WEFT_DEVICE void putFour(long long index, float4 four) const {
    if (exact != 0) {
      *(float4*)(exact + index) = four;
    }
    if (bfloats != 0) {
      uint2 packed;
      packed.x = toBfloats(four.x, four.y);
      packed.y = toBfloats(four.z, four.w);
      *(uint2*)(bfloats + index) = packed;
    }
  }
};

// A sum with the products of a unit of weights and one of a row added, in the order of the elements.
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

// How a layer's keys and values lie in a block of the cache: [layer][key, value][KV head][token][element]
// in float16 or int8. Behind a layer's int8 are their float16 scales, [key, value][KV head][token].
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
  // 2 to the 32 over `blockTokens`, rounded up: a division as a multiplication.
  unsigned blockFraction;
  // From a token to the next of a head: a multiple of 16.
  int tokenBytes;
  // From where a layer begins to its scales; 0 where elements are float16.
  int scales;

  // A token's key or value: where the layer begins in its block, and which of all that is there.
  struct Place {
    unsigned char* layer;
    int index;
  };

  // A token's key (half 0) or value (half 1).
  WEFT_DEVICE Place find(const long long* sequenceBlocks, int token, int half, int head) const {
    int block = (int)((unsigned long long)token * blockFraction >> 32);
    int index = (half * kvHeads + head) * blockTokens + token - block * blockTokens;
    return {(unsigned char*)(sequenceBlocks[block] + layer * layerBytes), index};
  }

  WEFT_DEVICE unsigned char* elements(Place place) const {
    return place.layer + place.index * tokenBytes;
  }

  WEFT_DEVICE unsigned short* scale(Place place) const {
    return (unsigned short*)(place.layer + scales) + place.index;
  }
};

WEFT_DEVICE float activation(float gate, int gelu) {
  if (gelu) {
    float cube = gate * gate * gate;
    return 0.5f * gate * (1 + tanhf(0.7978845608f * (gate + 0.044715f * cube)));
  }
  return gate * reciprocal(1 + powerOfTwo(gate * -1.4426950409f));
}

// Tiles lie as rows of chunks of 16 bytes; a row's chunks change places by its number, so that the
// same chunk of eight rows lies in eight banks.
template <int CHUNKS>
WEFT_DEVICE int chunkAt(int row, int chunk) {
  return (row * CHUNKS + (chunk ^ (row & 7))) * 16;
}
