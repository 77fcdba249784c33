/// What the machine gives this process: processors within its quota, memory within its limit.
@NullMarked
package dev.weft.runtime.cpu.topology;

import org.jspecify.annotations.NullMarked;
