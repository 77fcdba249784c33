/// The platform in a Kubernetes cluster: functions, revisions, keys and pools of devices are
/// objects there ([dev.weft.platform.cluster.KubernetesFunctionStore]), the controller that leads
/// is their operator, and runtimes are found by EndpointSlices. What is decided is in
/// [dev.weft.platform.cluster.model]; how functions are loaded and let go is
/// [dev.weft.platform.control]'s, as on one machine.
@NullMarked
package dev.weft.platform.cluster;

import org.jspecify.annotations.NullMarked;
