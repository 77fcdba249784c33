@NullMarked
package dev.weft.runtime.scheduling;

import org.jspecify.annotations.NullMarked;
