package dev.weft.functions;

import org.jspecify.annotations.Nullable;

/// Bounds on what callers of one function may ask for at once. A member that a manifest leaves out
/// takes its default.
///
/// @param maxHeldRequests requests held while the function is cold; one more is answered 429
/// @param maxQueuedRequests requests waiting for a place in the batch; one more is answered 429
/// @param maxOutputTokens the largest `max_tokens`; the context length when left out
public record Limits(
    Integer maxHeldRequests, Integer maxQueuedRequests, @Nullable Integer maxOutputTokens) {
  public static final Limits DEFAULT = new Limits(1_000, 1_000, null);

  public Limits {
    maxHeldRequests = maxHeldRequests == null ? 1_000 : maxHeldRequests;
    maxQueuedRequests = maxQueuedRequests == null ? 1_000 : maxQueuedRequests;
    InvalidManifestException.requireAtLeast("spec.limits.maxHeldRequests", maxHeldRequests, 1);
    InvalidManifestException.requireAtLeast("spec.limits.maxQueuedRequests", maxQueuedRequests, 1);
    if (maxOutputTokens != null) {
      InvalidManifestException.requireAtLeast("spec.limits.maxOutputTokens", maxOutputTokens, 1);
    }
  }
}
