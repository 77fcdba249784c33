/// The seam between the engine and a device: a spec goes in, an executable comes out.
@NullMarked
package dev.weft.runtime.backend;

import org.jspecify.annotations.NullMarked;
