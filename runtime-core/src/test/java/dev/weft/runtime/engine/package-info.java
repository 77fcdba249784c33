@NullMarked
package dev.weft.runtime.engine;

import org.jspecify.annotations.NullMarked;
