/// Engines without a server: Weft's in a process of its own that is told what to do, the peers' by
/// their own benchmark, and the machine's read bandwidth to hold them to.
@NullMarked
package dev.weft.bench.engine;

import org.jspecify.annotations.NullMarked;
