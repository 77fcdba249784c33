/// From logits to a token: the sampling parameters of a request and the sampler that every
/// host-side backend uses.
@NullMarked
package dev.weft.runtime.sampling;

import org.jspecify.annotations.NullMarked;
