/// The one place that links native libraries.
@NullMarked
package dev.weft.runtime.foreign;

import org.jspecify.annotations.NullMarked;
