@NullMarked
package dev.weft.platform.cli;

import org.jspecify.annotations.NullMarked;
