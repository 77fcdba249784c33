/// Where kernels come from: CUDA C++ in this module's resources, compiled by NVRTC for the exact
/// architecture of a device, and kept on disk by the hash of all that they were made from.
@NullMarked
package dev.weft.runtime.gpu.kernels;

import org.jspecify.annotations.NullMarked;
