@NullMarked
package dev.weft.runtime.cpu.packed;

import org.jspecify.annotations.NullMarked;
