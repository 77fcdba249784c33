/// Tests of the CPU backend: kernels against plain arithmetic, models against the reference.
@NullMarked
package dev.weft.runtime.cpu;

import org.jspecify.annotations.NullMarked;
