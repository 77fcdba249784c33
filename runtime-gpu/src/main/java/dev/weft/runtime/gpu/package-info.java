/// What the GPU runtime can say of a host: its driver and its devices.
@NullMarked
package dev.weft.runtime.gpu;

import org.jspecify.annotations.NullMarked;
