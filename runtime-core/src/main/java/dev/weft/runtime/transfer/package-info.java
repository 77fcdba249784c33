/// Keys and values of a sequence on their way from one runtime to another, in a format that knows
/// nothing of blocks: numbers are little-endian, and nothing is aligned.
///
/// | bytes | |
/// |---|---|
/// | 6 | `WEFTKV` |
/// | 2 | version of the format, 1 |
/// | 4 | bytes of the rest of the header, its checksum included |
/// | 32 | what computed it: [KvHeader#model] |
/// | 4 each | element (0 f32, 1 f16, 2 int8), layers, KV heads, head size |
/// | 4 | the first token whose keys and values follow |
/// | 4 each | number of tokens, and the tokens from the text's beginning to the last that follows |
/// | 4 | CRC-32C of the header up to here |
///
/// Then, for each token from the first one on, its keys and values of all layers as [KvFormat] has
/// them outside of blocks, and the CRC-32C of its position, its id and these bytes. So a receiver
/// may stop after any token, or lose its sender there, and can use what has come.
@NullMarked
package dev.weft.runtime.transfer;

import org.jspecify.annotations.NullMarked;
