@NullMarked
package dev.weft.runtime.instance;

import org.jspecify.annotations.NullMarked;
