/// The controller: what is deployed, what runs where, and the acts that bring the second to the
/// first.
///
/// [dev.weft.platform.control.FunctionDirectory] holds what users declared,
/// [dev.weft.platform.control.Fleet] the latest snapshot that each runtime published. The control
/// loop observes both, lets the pure policies of the autoscaler decide, and applies the plan
/// through the runtimes' control API. Only the controller creates and removes instances; a runtime
/// has the last word on what fits. One [dev.weft.platform.control.RuntimeSupervisor] a device keeps
/// its process alive.
@NullMarked
package dev.weft.platform.control;

import org.jspecify.annotations.NullMarked;
