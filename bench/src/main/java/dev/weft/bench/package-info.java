/// Benchmarks: load, kernels, and peers side by side.
@NullMarked
package dev.weft.bench;

import org.jspecify.annotations.NullMarked;
