@NullMarked
package dev.weft.runtime.foreign;

import org.jspecify.annotations.NullMarked;
