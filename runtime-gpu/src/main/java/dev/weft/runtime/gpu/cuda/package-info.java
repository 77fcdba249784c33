/// The CUDA driver API through `java.lang.foreign`: a binding ([CudaDriver], one method a C
/// function, statuses turned into exceptions there and nowhere else) and handles, each of which
/// owns one native thing. Nothing outside has a raw handle, but a stream's for other libraries of
/// NVIDIA's; device addresses are longs, which nobody can dereference by mistake.
@NullMarked
package dev.weft.runtime.gpu.cuda;

import org.jspecify.annotations.NullMarked;
