/// The memory of a CPU device in chunks: a file that lies in memory only, and mappings of its
/// parts.
@NullMarked
package dev.weft.runtime.cpu.memory;

import org.jspecify.annotations.NullMarked;
