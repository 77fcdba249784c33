@NullMarked
package dev.weft.platform.simulation;

import org.jspecify.annotations.NullMarked;
