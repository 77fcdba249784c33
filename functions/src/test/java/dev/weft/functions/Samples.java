package dev.weft.functions;

/// Manifests for tests.
final class Samples {
  /// Nothing that may be left out.
  static final String MINIMAL =
      """
      apiVersion: weft.dev/v1alpha1
      kind: Function
      metadata:
        name: mine
      spec:
        model:
          sources:
            - file:/models/mine.gguf
      """;

  /// Every member there is, none with its default.
  static final String COMPLETE =
      """
      apiVersion: weft.dev/v1alpha1
      kind: Function
      metadata:
        name: support-chat
        labels:
          team: support
      spec:
        model:
          kind: generation
          sources:
            - uri: https://models.example.org/support-7b.gguf
              sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
            - hf://example-org/support-7b@main
          contextLength: 4096
        quantization: w8a8
        kvCache: int8
        serviceLevel:
          ttft: 500ms
          tpot: 50ms
          priority: 3
        scaling:
          min: 0
          max: 3
          keepAlive: 1h
          waitBudget: 90s
        devices:
          - cpu
        limits:
          maxHeldRequests: 100
          maxQueuedRequests: 200
          maxOutputTokens: 512
      """;

  /// An adapter of another function's model.
  static final String ADAPTER =
      """
      apiVersion: weft.dev/v1alpha1
      kind: Function
      metadata:
        name: support-polite
      spec:
        adapterOf: support-chat
        model:
          sources:
            - hf://example-org/support-polite-lora
        scaling:
          keepAlive: 10m
        limits:
          maxOutputTokens: 256
      """;

  private Samples() {}
}
