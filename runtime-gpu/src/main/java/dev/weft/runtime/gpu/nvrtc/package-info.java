/// NVRTC, the compiler of CUDA C++ that is a library: a binding and what it makes of a source.
@NullMarked
package dev.weft.runtime.gpu.nvrtc;

import org.jspecify.annotations.NullMarked;
