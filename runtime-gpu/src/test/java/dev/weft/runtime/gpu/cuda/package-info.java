@NullMarked
package dev.weft.runtime.gpu.cuda;

import org.jspecify.annotations.NullMarked;
