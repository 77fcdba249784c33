/// Weft on a Kubernetes: the one that `./weft cluster up` starts on this machine, with real nodes,
/// pods and services. `./weft test --cluster` runs these; no other build does.
@NullMarked
package dev.weft.platform.e2e.cluster;

import org.jspecify.annotations.NullMarked;
