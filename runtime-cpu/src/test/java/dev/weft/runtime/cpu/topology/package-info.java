@NullMarked
package dev.weft.runtime.cpu.topology;

import org.jspecify.annotations.NullMarked;
