// Attention of tiles by Hopper's `wgmma`: four warps multiply their 64 rows with a unit's keys, and
// with its values, which are read from shared memory once for all of them. The sums are those of
// attention.cuh, in the same order.
#ifndef WEFT_EMULATED
// `a` in the fragments of `mma.m16n8k16`, of 64 rows. Where nothing is added, what was in the sums
// does not matter.
#define WEFT_WIDE_HALVES_64(trans)                                                               \
  asm volatile(                                                                                  \
      "{.reg .pred p;\n"                                                                         \
      "setp.ne.b32 p, %37, 0;\n"                                                                 \
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 {"                                     \
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "                   \
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"           \
      "}, {%32, %33, %34, %35}, %36, p, 1, 1, " #trans ";}"                                      \
      : WEFT_SUMS(0), WEFT_SUMS(1), WEFT_SUMS(2), WEFT_SUMS(3), WEFT_SUMS(4), WEFT_SUMS(5),      \
        WEFT_SUMS(6), WEFT_SUMS(7)                                                               \
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add))

#define WEFT_WIDE_HALVES_32(trans)                                                               \
  asm volatile(                                                                                  \
      "{.reg .pred p;\n"                                                                         \
      "setp.ne.b32 p, %21, 0;\n"                                                                 \
      "wgmma.mma_async.sync.aligned.m64n32k16.f32.f16.f16 {"                                     \
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15"                     \
      "}, {%16, %17, %18, %19}, %20, p, 1, 1, " #trans ";}"                                      \
      : WEFT_SUMS(0), WEFT_SUMS(1), WEFT_SUMS(2), WEFT_SUMS(3)                                   \
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add))

// sums = a * b, or are added to, of 16 elements of float16 and 64 rows of `b`.
WEFT_DEVICE void multiplyWideHalves(float (&sums)[8][4], const unsigned (&a)[4],
                                    unsigned long long b, int add) {
  WEFT_WIDE_HALVES_64(0);
}

// The same, of 16 rows of `b` and their columns.
WEFT_DEVICE void multiplyWideColumns(float (&sums)[8][4], const unsigned (&a)[4],
                                     unsigned long long b, int add) {
  WEFT_WIDE_HALVES_64(1);
}

WEFT_DEVICE void multiplyWideColumns(float (&sums)[4][4], const unsigned (&a)[4],
                                     unsigned long long b, int add) {
  WEFT_WIDE_HALVES_32(1);
}
#endif

// A unit's keys or values in shared memory: 64 elements of each token, in rows of 128 bytes, and
// behind them the next 64.
template <int HEAD>
struct WideUnit {
  using Element = Float16;
  static constexpr int CHUNKS = HEAD / 8;
  static constexpr int PANEL = UNIT_TOKENS * 128;
  static constexpr int PANELS = HEAD / 64;
  static constexpr int BYTES = PANELS * PANEL;
  static constexpr int SCALES = BYTES;

  static WEFT_DEVICE int chunkOf(int token, int chunk) {
    return chunk / 8 * PANEL + chunkAt<8>(token, chunk % 8);
  }
};

template <int HEAD>
struct Wide {
  using Element = Float16;
  using To = WideUnit<HEAD>;
  // Of values at a time: registers for more would leave a multiprocessor fewer tiles.
  static constexpr int COLUMNS = HEAD <= 64 ? 64 : 32;
  using Sums = Columns<COLUMNS / 8>;

  static WEFT_DEVICE void show() { showToTensorCores(); }

  static WEFT_DEVICE void multiply(const Queries<HEAD, Element>& queries,
                                   const unsigned char* keys,
                                   float (&scores)[UNIT_TOKENS / 8][4]) {
    beginWide();
#pragma unroll
    for (int k = 0; k < HEAD / 16; k++) {
      // 32 bytes further, in sixteens.
      multiplyWideHalves(scores, queries.fragments[k],
                         matrixAt(keys + k / 4 * To::PANEL) + 2 * (k % 4), k > 0);
    }
    endWide();
    waitForWide<0>();
  }

  template <typename Take>
  static WEFT_DEVICE void sum(float (&weights)[UNIT_TOKENS / 8][4], const unsigned char* values,
                              Take take) {
    unsigned a[UNIT_TOKENS / 16][4];
    toFragments<BOTH>(weights, a);
#pragma unroll
    for (int first = 0; first < HEAD; first += COLUMNS) {
      Sums columns;
      // Of two bytes each, in sixteens.
      unsigned long long b = matrixAt(values + first / 64 * To::PANEL) + first % 64 / 8;
      beginWide();
#pragma unroll
      for (int k = 0; k < UNIT_TOKENS / 16; k++) {
        // 16 rows of 128 bytes further, in sixteens.
        multiplyWideColumns(columns.sums, a[k], b + 128 * k, k > 0);
      }
      endWide();
      waitForWide<0>();
      take(first / 8, columns);
    }
  }
};

#define WEFT_ATTEND_WIDE(HEAD)                                                                  \
  WEFT_KERNEL_BESIDE(TILE_WARPS* WARP, (HEAD <= 64 ? 4 : 3), attend_wide_tile_##HEAD,           \
                     Attention attention, Cache cache) {                                        \
    attendTile<HEAD, Wide<HEAD>>(attention, cache);                                             \
  }
