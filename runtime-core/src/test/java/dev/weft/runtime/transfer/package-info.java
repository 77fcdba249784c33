@NullMarked
package dev.weft.runtime.transfer;

import org.jspecify.annotations.NullMarked;
