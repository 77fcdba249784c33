/// oneDNN's matmul for many rows: bindings, handles, and the check of each primitive at load. The
/// native workers call the primitives; this package makes them.
///
/// Products of int8 (`w8a8`) are exact and give the small kernels' bits. **bf16 rounds activations
/// to bfloat16 and sums in an order of oneDNN's choosing: a row in a step of 32 rows or more is not
/// bit for bit what it is alone.**
@NullMarked
package dev.weft.runtime.cpu.onednn;

import org.jspecify.annotations.NullMarked;
