/// How long steps take. A profile is measured once for a model on a device, interpolated between
/// its points, and refined by the steps that are seen; decisions ask it with a margin.
@NullMarked
package dev.weft.autoscaler.profile;

import org.jspecify.annotations.NullMarked;
