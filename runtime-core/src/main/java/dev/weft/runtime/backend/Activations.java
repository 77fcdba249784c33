package dev.weft.runtime.backend;

/// Activation functions, evaluated in double.
final class Activations {
  private Activations() {}

  /// `x / (1 + e^-x)`.
  static double silu(double x) {
    return x / (1 + Math.exp(-x));
  }

  /// `x Phi(x)` with the normal distribution itself.
  static double gelu(double x) {
    return 0.5 * x * (1 + erf(x / Math.sqrt(2)));
  }

  /// GELU by its tanh approximation.
  static double geluTanh(double x) {
    return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
  }

  /// The error function, by `2/sqrt(pi) e^(-x^2) sum 2^n x^(2n+1) / (2n+1)!!` (Abramowitz and
  /// Stegun 7.1.6): all terms have one sign, so nothing cancels.
  static double erf(double x) {
    double magnitude = Math.abs(x);
    if (magnitude > 6) {
      // 1 - erf(6) is 2e-17, below half a unit in the last place.
      return Math.signum(x);
    }
    double term = magnitude;
    double sum = magnitude;
    for (int n = 1; term > sum * 1e-17; n++) {
      term *= 2 * magnitude * magnitude / (2 * n + 1);
      sum += term;
    }
    return Math.copySign(2 / Math.sqrt(Math.PI) * Math.exp(-magnitude * magnitude) * sum, x);
  }
}
