/// What this host's GPUs are: the ground that a GPU runtime stands on. Today it answers `Main`,
/// which tells a person whether the driver is found and what it drives.
@NullMarked
package dev.weft.runtime.gpu;

import org.jspecify.annotations.NullMarked;
