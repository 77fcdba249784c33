@NullMarked
package dev.weft.runtime.cpu.memory;

import org.jspecify.annotations.NullMarked;
