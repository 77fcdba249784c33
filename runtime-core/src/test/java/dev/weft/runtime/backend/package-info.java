@NullMarked
package dev.weft.runtime.backend;

import org.jspecify.annotations.NullMarked;
