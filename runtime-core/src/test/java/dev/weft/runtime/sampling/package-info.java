@NullMarked
package dev.weft.runtime.sampling;

import org.jspecify.annotations.NullMarked;
