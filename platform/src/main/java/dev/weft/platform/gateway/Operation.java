package dev.weft.platform.gateway;

import dev.weft.functions.Model;

/// What a caller asks of a function, with the words that OpenAI's API and OpenTelemetry have for
/// it.
enum Operation {
  CHAT("/v1/chat/completions", "chat", "chatcmpl-", Model.Kind.GENERATION),
  COMPLETION("/v1/completions", "text_completion", "cmpl-", Model.Kind.GENERATION),
  EMBEDDING("/v1/embeddings", "embeddings", "embd-", Model.Kind.EMBEDDING);

  private final String path;
  private final String telemetryName;
  private final String idPrefix;
  private final Model.Kind kind;

  Operation(String path, String telemetryName, String idPrefix, Model.Kind kind) {
    this.path = path;
    this.telemetryName = telemetryName;
    this.idPrefix = idPrefix;
    this.kind = kind;
  }

  String path() {
    return path;
  }

  String telemetryName() {
    return telemetryName;
  }

  String idPrefix() {
    return idPrefix;
  }

  Model.Kind kind() {
    return kind;
  }
}
