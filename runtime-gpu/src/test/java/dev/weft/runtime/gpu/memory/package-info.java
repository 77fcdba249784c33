@NullMarked
package dev.weft.runtime.gpu.memory;

import org.jspecify.annotations.NullMarked;
