@NullMarked
package dev.weft.runtime.server;

import org.jspecify.annotations.NullMarked;
