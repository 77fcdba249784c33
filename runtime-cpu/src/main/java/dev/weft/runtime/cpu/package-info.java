/// The CPU backend and the CPU runtime's main.
@NullMarked
package dev.weft.runtime.cpu;

import org.jspecify.annotations.NullMarked;
