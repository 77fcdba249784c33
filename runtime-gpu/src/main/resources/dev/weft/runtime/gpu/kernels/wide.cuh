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

// A gate in shared memory opens when so many threads have arrived, and closes again for the next.
WEFT_DEVICE void makeGate(unsigned long long* gate, int arrivals) {
  asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"((unsigned)__cvta_generic_to_shared(gate)),
               "r"(arrivals)
               : "memory");
}

WEFT_DEVICE void arriveAt(unsigned long long* gate) {
  asm volatile("mbarrier.arrive.shared.b64 _, [%0];" ::"r"(
                   (unsigned)__cvta_generic_to_shared(gate))
               : "memory");
}

// Gates that were made are seen by the copy engine and by other blocks after this and a barrier.
WEFT_DEVICE void showGates() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

// Arrives at this gate of a block that runs together with this one.
WEFT_DEVICE void arriveAtBlock(unsigned long long* gate, int rank) {
  asm volatile(
      "{.reg .b32 there;\n"
      "mapa.shared::cluster.u32 there, %0, %1;\n"
      "mbarrier.arrive.shared::cluster.b64 _, [there];}" ::"r"(
          (unsigned)__cvta_generic_to_shared(gate)),
      "r"(rank)
      : "memory");
}

// Arrives at a gate that then stays closed until so many bytes have been brought.
WEFT_DEVICE void expectAt(unsigned long long* gate, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared.b64 _, [%0], %1;" ::"r"(
                   (unsigned)__cvta_generic_to_shared(gate)),
               "r"(bytes)
               : "memory");
}

// How a matrix lies in memory, and which tiles are brought of it, as the driver encodes it.
struct alignas(64) TensorMap {
  unsigned long long words[16];
};

// Has a tile of a matrix brought, rows of 128 bytes whose chunks change places as in `chunkAt`, from
// an element of the inner dimension and a row on. What is behind the matrix is zeros.
WEFT_DEVICE void bringTile(unsigned char* to, const TensorMap& map, int element, int row,
                           unsigned long long* gate) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, "
      "%3}], [%4];" ::"r"((unsigned)__cvta_generic_to_shared(to)),
      "l"(&map), "r"(element), "r"(row), "r"((unsigned)__cvta_generic_to_shared(gate))
      : "memory");
}

// The same of a matrix of four dimensions.
WEFT_DEVICE void bringTile(unsigned char* to, const TensorMap& map, int element, int second,
                           int third, int fourth, unsigned long long* gate) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, "
      "%3, %4, %5}], [%6];" ::"r"((unsigned)__cvta_generic_to_shared(to)),
      "l"(&map), "r"(element), "r"(second), "r"(third), "r"(fourth),
      "r"((unsigned)__cvta_generic_to_shared(gate))
      : "memory");
}

// The same of two, to the same place in all blocks that run together, each of which has the gate.
template <int BLOCKS>
WEFT_DEVICE void bringForAll(unsigned char* to, const TensorMap& map, int element, int row,
                             unsigned long long* gate) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::"
      "cluster [%0], [%1, {%2, %3}], [%4], %5;" ::"r"((unsigned)__cvta_generic_to_shared(to)),
      "l"(&map), "r"(element), "r"(row), "r"((unsigned)__cvta_generic_to_shared(gate)),
      "h"((unsigned short)((1 << BLOCKS) - 1))
      : "memory");
}

// Waits until a gate has opened for the time before `times`, of which the lowest bit matters: one
// that was never waited for has been open.
WEFT_DEVICE void waitAt(unsigned long long* gate, int times) {
  asm volatile(
      "{.reg .pred open;\n"
      "again: mbarrier.try_wait.parity.shared.b64 open, [%0], %1;\n"
      "@!open bra again;}" ::"r"((unsigned)__cvta_generic_to_shared(gate)),
      "r"(times & 1)
      : "memory");
}

// Registers of a warpgroup: those that one gives up, another may take.
template <int REGISTERS>
WEFT_DEVICE void giveRegisters() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(REGISTERS));
}

template <int REGISTERS>
WEFT_DEVICE void takeRegisters() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(REGISTERS));
}
#endif

// WARPGROUPS of four warps have 64 outputs each, all with the same N rows.
template <int WARPGROUPS, int ROWS, int STAGES>
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
  // weights of the first tiles are on their way already.
  WEFT_DEVICE void addUpWide(int first, int end) {
    this->clear();
    for (int tile = first; tile < first + STAGES - 2; tile++) {
      if (tile < end) {
        this->copyRows(tile, this->p.inputs / 8, this->stage(tile));
      }
      endOfCopies();
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

  // A block has one slice.
  WEFT_DEVICE void run() {
    int tiles = (this->p.inputs + 63) / 64;
    int units = (this->p.inputs + SLICE_UNIT - 1) / SLICE_UNIT;
    int each = (units + this->p.slices - 1) / this->p.slices * (SLICE_UNIT / 64);
    int first = blockIdx.z * each;
    int end = first + each < tiles ? first + each : tiles;
    letNextBegin();
    for (int tile = first; tile < first + STAGES - 2 && tile < end; tile++) {
      this->weights.load(tile, this->p.inputs / 8, this->stage(tile));
    }
    waitForPrevious();
    addUpWide(first, end);
    this->put(blockIdx.z, false);
  }
};

#define WEFT_WIDE_PRODUCT(ROWS, WARPGROUPS, STAGES)                                          \
  WEFT_KERNEL_BESIDE(WARPGROUPS * 128, 1, wide_product_##WARPGROUPS##_##ROWS, Product p) {   \
    WEFT_DYNAMIC_SHARED(shared);                                                             \
    WideBlock<WARPGROUPS, ROWS, STAGES>(p, shared).run();                                    \
  }

#define WEFT_WIDE_PRODUCTS_32      \
  WEFT_WIDE_PRODUCT(32, 2, 9)      \
  WEFT_WIDE_PRODUCT(32, 3, 7)      \
  WEFT_WIDE_PRODUCT(32, 4, 6)

#define WEFT_WIDE_PRODUCTS_64      \
  WEFT_WIDE_PRODUCT(64, 2, 9)      \
  WEFT_WIDE_PRODUCT(64, 3, 6)      \
  WEFT_WIDE_PRODUCT(64, 4, 5)

#define WEFT_WIDE_PRODUCTS_128     \
  WEFT_WIDE_PRODUCT(128, 2, 6)     \
  WEFT_WIDE_PRODUCT(128, 3, 5)     \
  WEFT_WIDE_PRODUCT(128, 4, 4)
