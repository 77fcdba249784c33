/// Memory-mapped model files (safetensors, GGUF), parsed with bounds on everything a file can
/// claim.
@NullMarked
package dev.weft.runtime.weights;

import org.jspecify.annotations.NullMarked;
