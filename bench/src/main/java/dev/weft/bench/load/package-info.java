/// Servers under load: Weft's runtime and the peers', and a generator that treats them alike.
@NullMarked
package dev.weft.bench.load;

import org.jspecify.annotations.NullMarked;
