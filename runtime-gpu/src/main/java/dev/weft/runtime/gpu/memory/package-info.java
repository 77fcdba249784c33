/// The device's memory that models pass to each other, on the driver's virtual memory management.
@NullMarked
package dev.weft.runtime.gpu.memory;

import org.jspecify.annotations.NullMarked;
