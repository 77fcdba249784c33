package dev.weft.bench.gpu;

import java.util.Map;
import java.util.OptionalDouble;

/// What vLLM gave on another machine of the kind.
final class VllmFigures {
  static final String NAME = "vLLM";

  static final String SOURCE =
      "vLLM's figures are constants: vLLM 0.26.0 (FlashAttention 3, torch.compile, full CUDA graphs,"
          + " asynchronous scheduling) on another machine with one NVIDIA H200, CUDA 13.0, November"
          + " 2026; random bf16 weights at the same shapes, greedy, prefix caching off, 1,024 tokens"
          + " in and 128 out where no context is named, medians of three.";

  /// Seconds from its engine's beginning until it answers, for 7B: caches of compiled code warm,
  /// and empty.
  static final String START = "26 to 42 s";

  /// Tokens a second by model, batch and context.
  private static final Map<String, Double> DECODE =
      Map.ofEntries(
          Map.entry("llama-2-7b/1/1024", 212.4),
          Map.entry("llama-2-7b/8/1024", 1382.0),
          Map.entry("llama-2-7b/32/1024", 3471.0),
          Map.entry("llama-2-7b/64/1024", 4548.0),
          Map.entry("llama-2-7b/128/1024", 5340.0),
          Map.entry("llama-2-7b/1/4096", 194.8),
          Map.entry("llama-2-7b/1/16384", 151.9),
          Map.entry("llama-3.1-8b/1/1024", 201.6),
          Map.entry("llama-3.1-8b/8/1024", 1515.0),
          Map.entry("llama-3.1-8b/32/1024", 5051.0),
          Map.entry("llama-3.1-8b/64/1024", 8349.0),
          Map.entry("llama-3.1-8b/128/1024", 11992.0),
          Map.entry("llama-3.1-8b/1/4096", 196.4),
          Map.entry("llama-3.1-8b/1/16384", 181.9),
          Map.entry("llama-3.2-1b/1/1024", 651.0),
          Map.entry("llama-3.2-1b/8/1024", 4653.0),
          Map.entry("llama-3.2-1b/32/1024", 16131.0),
          Map.entry("llama-3.2-1b/64/1024", 26627.0),
          Map.entry("llama-3.2-1b/128/1024", 39114.0),
          Map.entry("llama-3.2-1b/1/4096", 642.0),
          Map.entry("llama-3.2-1b/1/16384", 603.0));

  /// Tokens a second of 8 prompts of 2,048.
  private static final Map<String, Double> PREFILL =
      Map.of("llama-2-7b", 44901.0, "llama-3.1-8b", 42736.0, "llama-3.2-1b", 246_730.0);

  private VllmFigures() {}

  static OptionalDouble decode(String model, int batch, int context) {
    return figure(DECODE, "%s/%d/%d".formatted(model, batch, context));
  }

  static OptionalDouble prefill(String model) {
    return figure(PREFILL, model);
  }

  private static OptionalDouble figure(Map<String, Double> figures, String key) {
    Double figure = figures.get(key);
    return figure == null ? OptionalDouble.empty() : OptionalDouble.of(figure);
  }
}
