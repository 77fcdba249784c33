@NullMarked
package dev.weft.runtime.gpu.kernels;

import org.jspecify.annotations.NullMarked;
