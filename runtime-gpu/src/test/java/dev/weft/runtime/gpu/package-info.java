@NullMarked
package dev.weft.runtime.gpu;

import org.jspecify.annotations.NullMarked;
