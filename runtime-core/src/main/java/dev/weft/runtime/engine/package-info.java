/// Iteration-level batching: requests in, tokens out, one step at a time on the device's own
/// thread.
@NullMarked
package dev.weft.runtime.engine;

import org.jspecify.annotations.NullMarked;
