/// The measurements of the CPU runtime, one class a part, and the command that runs them.
@NullMarked
package dev.weft.bench.cpu;

import org.jspecify.annotations.NullMarked;
