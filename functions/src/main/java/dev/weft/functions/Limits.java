package dev.weft.functions;

import org.jspecify.annotations.Nullable;

/// Bounds on what callers of one function may ask for at once.
///
/// @param maxHeldRequests requests held while the function is cold; one more is answered 429
/// @param maxQueuedRequests requests waiting for a place in the batch; one more is answered 429
/// @param maxOutputTokens the largest `max_tokens`; `null` is the context length
public record Limits(
    @Nullable Integer maxHeldRequests,
    @Nullable Integer maxQueuedRequests,
    @Nullable Integer maxOutputTokens) {
  public static final Limits DEFAULT = new Limits(1_000, 1_000, null);

  public Limits {
    maxHeldRequests = maxHeldRequests == null ? 1_000 : maxHeldRequests;
    maxQueuedRequests = maxQueuedRequests == null ? 1_000 : maxQueuedRequests;
    if (maxHeldRequests < 1
        || maxQueuedRequests < 1
        || (maxOutputTokens != null && maxOutputTokens < 1)) {
      throw new InvalidManifestException("spec.limits", "limits are positive");
    }
  }
}
