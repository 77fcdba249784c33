/// The console that the platform serves to browsers.
@NullMarked
package dev.weft.platform.console;

import org.jspecify.annotations.NullMarked;
