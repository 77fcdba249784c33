/// The live platform beside its simulation: a scaled trace, replayed on this machine's processors
/// as devices, and simulated with the step times that were measured on them.
@NullMarked
package dev.weft.bench.live;

import org.jspecify.annotations.NullMarked;
