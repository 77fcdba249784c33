/// From logits to a token: the sampling parameters of a request, and the sampler that every backend
/// uses, or chooses the same tokens as.
///
/// All randomness is a function of the seed and the token's position ([SamplingParameters]), so a
/// sequence can be preempted, moved or continued elsewhere and still give the same tokens.
@NullMarked
package dev.weft.runtime.sampling;

import org.jspecify.annotations.NullMarked;
