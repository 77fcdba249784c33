// Products of bfloat16 by Hopper's `wgmma`: four warps multiply 64 outputs with up to 256 rows, both
// in shared memory, while their threads bring the next tiles. The sums are those of products.cuh,
// in the same order.
#ifndef WEFT_EMULATED
#define WEFT_SUMS(j) "+f"(sums[j][0]), "+f"(sums[j][1]), "+f"(sums[j][2]), "+f"(sums[j][3])

// sums += a * b, of 16 inputs: sums lie in the threads as those of `mma.m16n8k16` do.
WEFT_DEVICE void multiplyWide(float (&sums)[4][4], unsigned long long a, unsigned long long b) {
  asm volatile(
      "{.reg .pred p;\n"
      "setp.ne.b32 p, %18, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15"
      "}, %16, %17, p, 1, 1, 0, 0;}"
      : WEFT_SUMS(0), WEFT_SUMS(1), WEFT_SUMS(2), WEFT_SUMS(3)
      : "l"(a), "l"(b), "r"(1));
}

WEFT_DEVICE void multiplyWide(float (&sums)[8][4], unsigned long long a, unsigned long long b) {
  asm volatile(
      "{.reg .pred p;\n"
      "setp.ne.b32 p, %34, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
      "}, %32, %33, p, 1, 1, 0, 0;}"
      : WEFT_SUMS(0), WEFT_SUMS(1), WEFT_SUMS(2), WEFT_SUMS(3), WEFT_SUMS(4), WEFT_SUMS(5),
        WEFT_SUMS(6), WEFT_SUMS(7)
      : "l"(a), "l"(b), "r"(1));
}

WEFT_DEVICE void multiplyWide(float (&sums)[16][4], unsigned long long a, unsigned long long b) {
  asm volatile(
      "{.reg .pred p;\n"
      "setp.ne.b32 p, %66, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
      "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
      "}, %64, %65, p, 1, 1, 0, 0;}"
      : WEFT_SUMS(0), WEFT_SUMS(1), WEFT_SUMS(2), WEFT_SUMS(3), WEFT_SUMS(4), WEFT_SUMS(5),
        WEFT_SUMS(6), WEFT_SUMS(7), WEFT_SUMS(8), WEFT_SUMS(9), WEFT_SUMS(10), WEFT_SUMS(11),
        WEFT_SUMS(12), WEFT_SUMS(13), WEFT_SUMS(14), WEFT_SUMS(15)
      : "l"(a), "l"(b), "r"(1));
}

WEFT_DEVICE void multiplyWide(float (&sums)[24][4], unsigned long long a, unsigned long long b) {
  asm volatile(
      "{.reg .pred p;\n"
      "setp.ne.b32 p, %98, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n192k16.f32.bf16.bf16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
      "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, "
      "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "
      "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
      "}, %96, %97, p, 1, 1, 0, 0;}"
      : WEFT_SUMS(0), WEFT_SUMS(1), WEFT_SUMS(2), WEFT_SUMS(3), WEFT_SUMS(4), WEFT_SUMS(5),
        WEFT_SUMS(6), WEFT_SUMS(7), WEFT_SUMS(8), WEFT_SUMS(9), WEFT_SUMS(10), WEFT_SUMS(11),
        WEFT_SUMS(12), WEFT_SUMS(13), WEFT_SUMS(14), WEFT_SUMS(15), WEFT_SUMS(16), WEFT_SUMS(17),
        WEFT_SUMS(18), WEFT_SUMS(19), WEFT_SUMS(20), WEFT_SUMS(21), WEFT_SUMS(22), WEFT_SUMS(23)
      : "l"(a), "l"(b), "r"(1));
}

WEFT_DEVICE void multiplyWide(float (&sums)[32][4], unsigned long long a, unsigned long long b) {
  asm volatile(
      "{.reg .pred p;\n"
      "setp.ne.b32 p, %130, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
      "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, "
      "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "
      "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, "
      "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, "
      "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
      "}, %128, %129, p, 1, 1, 0, 0;}"
      : WEFT_SUMS(0), WEFT_SUMS(1), WEFT_SUMS(2), WEFT_SUMS(3), WEFT_SUMS(4), WEFT_SUMS(5),
        WEFT_SUMS(6), WEFT_SUMS(7), WEFT_SUMS(8), WEFT_SUMS(9), WEFT_SUMS(10), WEFT_SUMS(11),
        WEFT_SUMS(12), WEFT_SUMS(13), WEFT_SUMS(14), WEFT_SUMS(15), WEFT_SUMS(16), WEFT_SUMS(17),
        WEFT_SUMS(18), WEFT_SUMS(19), WEFT_SUMS(20), WEFT_SUMS(21), WEFT_SUMS(22), WEFT_SUMS(23),
        WEFT_SUMS(24), WEFT_SUMS(25), WEFT_SUMS(26), WEFT_SUMS(27), WEFT_SUMS(28), WEFT_SUMS(29),
        WEFT_SUMS(30), WEFT_SUMS(31)
      : "l"(a), "l"(b), "r"(1));
}

// Rows of 128 bytes in eights, whose chunks of 16 bytes changed places as in `chunkAt`.
WEFT_DEVICE unsigned long long matrixAt(const unsigned char* shared) {
  unsigned long long address = (unsigned)__cvta_generic_to_shared(shared);
  return (address & 0x3ffff) >> 4 | 1ull << 16 | 64ull << 32 | 1ull << 62;
}

// What threads copied is seen by the tensor cores after this and a barrier.
WEFT_DEVICE void showToTensorCores() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

WEFT_DEVICE void beginWide() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

WEFT_DEVICE void endWide() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

template <int LEFT>
WEFT_DEVICE void waitForWide() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(LEFT) : "memory");
}
#endif

// WARPGROUPS of four warps have 64 outputs each, all with the same N rows.
template <int WARPGROUPS, int ROWS, int STAGES, bool KEPT>
struct WideBlock : ProductBlock<BF16, 64, WARPGROUPS * 4, 1, 1, ROWS / 8, STAGES> {
  using Base = ProductBlock<BF16, 64, WARPGROUPS * 4, 1, 1, ROWS / 8, STAGES>;

  WEFT_DEVICE WideBlock(const Product& product, unsigned char* memory) : Base(product, memory) {}

  WEFT_DEVICE void ask(int tile, int end) {
    if (tile < end) {
      this->weights.load(tile, this->p.inputs / 8, this->stage(tile));
      this->copyRows(tile, this->p.inputs / 8, this->stage(tile));
    }
    endOfCopies();
  }

  WEFT_DEVICE void multiplyTile(int tile) {
    const unsigned char* from = this->stage(tile);
    unsigned long long a = matrixAt(from + threadIdx.x / 128 * (64 * 128));
    unsigned long long b = matrixAt(from + Base::Weights::BYTES);
    beginWide();
#pragma unroll
    for (int k = 0; k < 4; k++) {
      // 32 bytes further, in sixteens.
      multiplyWide(this->sums[0], a + 2 * k, b + 2 * k);
    }
    endWide();
  }

  // A tile's place is free when all warps have multiplied it: two tiles after that was begun. The
  // weights of the first tiles may be on their way already.
  WEFT_DEVICE void addUpWide(int first, int end, bool begun) {
    this->clear();
    for (int tile = first; tile < first + STAGES - 2; tile++) {
      if (begun) {
        if (tile < end) {
          this->copyRows(tile, this->p.inputs / 8, this->stage(tile));
        }
        endOfCopies();
      } else {
        ask(tile, end);
      }
    }
    for (int tile = first; tile < end; tile++) {
      waitForCopies<STAGES - 3>();
      showToTensorCores();
      __syncthreads();
      multiplyTile(tile);
      ask(tile + STAGES - 2, end);
      waitForWide<1>();
    }
    waitForWide<0>();
    waitForCopies<0>();
    __syncthreads();
  }

  WEFT_DEVICE void run() {
    int tiles = (this->p.inputs + 63) / 64;
    int units = (this->p.inputs + SLICE_UNIT - 1) / SLICE_UNIT;
    int each = (units + this->p.slices - 1) / this->p.slices * (SLICE_UNIT / 64);
    bool one = gridDim.z == this->p.slices;
    int slice = one ? blockIdx.z : 0;
    int first = slice * each;
    int end = first + each < tiles ? first + each : tiles;
    letNextBegin();
    for (int tile = first; tile < first + STAGES - 2 && tile < end; tile++) {
      this->weights.load(tile, this->p.inputs / 8, this->stage(tile));
    }
    waitForPrevious();
    addUpWide(first, end, true);
    if (one) {
      this->put(slice, false);
    } else if (KEPT) {
      float total[ROWS / 8][4];
      if (this->p.bias != 0) {
        this->addBias();
      }
      keep(total, false);
      for (slice = 1; slice < this->p.slices; slice++) {
        first = slice * each;
        end = first + each < tiles ? first + each : tiles;
        addUpWide(first, end, false);
        keep(total, true);
      }
      this->putAll(0, false);
    } else {
      this->put(0, false);
      for (slice = 1; slice < this->p.slices; slice++) {
        first = slice * each;
        end = first + each < tiles ? first + each : tiles;
        addUpWide(first, end, false);
        this->put(0, true);
      }
    }
  }

  // Adds a slice's sums to those before, and has both in `total` and `sums`.
  WEFT_DEVICE void keep(float (&total)[ROWS / 8][4], bool add) {
#pragma unroll
    for (int n = 0; n < ROWS / 8; n++) {
#pragma unroll
      for (int i = 0; i < 4; i++) {
        total[n][i] = add ? total[n][i] + this->sums[0][n][i] : this->sums[0][n][i];
        this->sums[0][n][i] = total[n][i];
      }
    }
  }
};

#define WEFT_WIDE_PRODUCT(ROWS, WARPGROUPS, STAGES, KEPT)                                 \
  WEFT_KERNEL_BESIDE(WARPGROUPS * 128, 1, wide_product_##WARPGROUPS##_##ROWS, Product p) {   \
    WEFT_DYNAMIC_SHARED(shared);                                                                  \
    WideBlock<WARPGROUPS, ROWS, STAGES, KEPT>(p, shared).run();                                   \
  }

#define WEFT_WIDE_PRODUCTS_32           \
  WEFT_WIDE_PRODUCT(32, 2, 9, false)    \
  WEFT_WIDE_PRODUCT(32, 3, 7, false)    \
  WEFT_WIDE_PRODUCT(32, 4, 6, false)

#define WEFT_WIDE_PRODUCTS_64           \
  WEFT_WIDE_PRODUCT(64, 2, 9, false)    \
  WEFT_WIDE_PRODUCT(64, 3, 6, false)    \
  WEFT_WIDE_PRODUCT(64, 4, 5, false)

#define WEFT_WIDE_PRODUCTS_128          \
  WEFT_WIDE_PRODUCT(128, 2, 6, false)   \
  WEFT_WIDE_PRODUCT(128, 3, 5, false)   \
  WEFT_WIDE_PRODUCT(128, 4, 4, false)

#define WEFT_WIDE_PRODUCTS_192 WEFT_WIDE_PRODUCT(192, 2, 5, true)

#define WEFT_WIDE_PRODUCTS_256 WEFT_WIDE_PRODUCT(256, 2, 4, false)
