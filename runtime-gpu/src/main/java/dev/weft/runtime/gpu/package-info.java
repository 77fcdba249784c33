/// The GPU runtime: what this host's GPUs are, and a backend that runs decoders with adapters and
/// encoders on one of them. Weights are brought there by way of the host's memory; a step is a row
/// of kernels that are submitted at once, with tables of what its rows are.
@NullMarked
package dev.weft.runtime.gpu;

import org.jspecify.annotations.NullMarked;
