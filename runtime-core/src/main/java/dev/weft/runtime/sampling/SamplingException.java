package dev.weft.runtime.sampling;

/// No token can be chosen from these logits: one is not a number, or every token is ruled out.
public final class SamplingException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public SamplingException(String message) {
    super(message);
  }
}
