/// A gateway and its controller as two processes: the controller streams what gateways must know
/// ([dev.weft.platform.following.ControllerState]), gateways follow it, keep the last on disk, and
/// tell the controller who waits and what was answered. In a process that is both, the parts share
/// their snapshots and none of this runs.
@NullMarked
package dev.weft.platform.following;

import org.jspecify.annotations.NullMarked;
