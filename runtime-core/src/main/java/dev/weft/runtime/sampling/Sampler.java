package dev.weft.runtime.sampling;

/// Chooses a token from one row of logits. Pure: the same logits and request give the same token.
@FunctionalInterface
public interface Sampler {
  /// @param logits `[vocabulary]`; may be overwritten
  SampledToken sample(float[] logits, SampleRequest request);
}
