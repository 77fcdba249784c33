/// What `weft simulate` reads and makes: trace and profile files, scenarios of them, and what their
/// simulation came to. The simulation itself is `autoscaler.simulation`.
@NullMarked
package dev.weft.platform.simulation;

import org.jspecify.annotations.NullMarked;
