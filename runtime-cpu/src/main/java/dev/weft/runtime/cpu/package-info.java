/// The CPU backend and the CPU runtime's main.
///
/// A step is one native call over all layers and rows ([dev.weft.runtime.cpu.CpuDecoder]); the
/// library is C in `src/main/native`, compiled by the build for AVX2, AVX-512 VNNI and AMX, and
/// chosen by what the processor says. The one idea is the panel: 16 outputs of a projection over
/// all its inputs, so that a lane of a vector is an output and its sum has one order.
///
/// ```
/// inputs ->  0 1 2 3 | 4 5 6 7 | ...          a panel, int8 or nibbles
/// output 0   b b b b | b b b b |              one 512-bit load: 16 outputs x 4 inputs,
/// output 1   b b b b | b b b b |              multiplied with the same 4 activations of a row
///  ...                                        (vpdpbusd), for each of up to 16 rows
/// output 15  b b b b | b b b b |
/// ```
///
/// Activations are int8 in groups of 32; a group's product is an exact int32, scaled and added in
/// float32 group by group. KV is float16 in blocks, keys transposed within a block, so that a
/// vector is 16 keys; a context is split every 256 tokens or so, at places that depend on nothing
/// but the position, and the parts merge in order.
@NullMarked
package dev.weft.runtime.cpu;

import org.jspecify.annotations.NullMarked;
