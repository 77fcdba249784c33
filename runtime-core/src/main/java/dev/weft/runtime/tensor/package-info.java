/// Element types, their block layouts, and views of tensors in mapped files.
@NullMarked
package dev.weft.runtime.tensor;

import org.jspecify.annotations.NullMarked;
