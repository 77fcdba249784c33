/// cuBLASLt, NVIDIA's library of products, as a peer: a binding ([CublasLt]) and handles. The
/// runtime has none of it; the benchmark measures what it does beside the runtime's own kernels.
@NullMarked
package dev.weft.bench.gpu.cublas;

import org.jspecify.annotations.NullMarked;
