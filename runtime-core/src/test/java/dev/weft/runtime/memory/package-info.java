@NullMarked
package dev.weft.runtime.memory;

import org.jspecify.annotations.NullMarked;
