/// The CUDA driver API through `java.lang.foreign`: one static method a C function, statuses turned
/// into exceptions here and nowhere else.
@NullMarked
package dev.weft.runtime.gpu.cuda;

import org.jspecify.annotations.NullMarked;
