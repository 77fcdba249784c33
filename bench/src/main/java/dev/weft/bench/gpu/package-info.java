/// The GPU runtime, measured: its engine, chunk pool and loads as its process has them, in this
/// process, at the shapes of known models. A part has the GPU and the process for itself.
@NullMarked
package dev.weft.bench.gpu;

import org.jspecify.annotations.NullMarked;
