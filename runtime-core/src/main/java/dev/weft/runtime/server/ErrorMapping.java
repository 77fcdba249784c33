package dev.weft.runtime.server;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.weft.functions.InvalidManifestException;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.runtime.engine.EmbeddingException;
import dev.weft.runtime.engine.Engine.Submission;
import dev.weft.runtime.engine.GenerationListener.GenerationError;
import dev.weft.runtime.server.openai.ApiError;
import dev.weft.runtime.server.openai.ApiError.Category;
import dev.weft.runtime.server.openai.ApiError.Loading;
import dev.weft.runtime.server.openai.ApiException;
import dev.weft.runtime.tokenizer.ChatTemplate.ChatTemplateException;
import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The one place where failures become answers. What is not known here is a bug: it is logged with
/// its stack trace and answered 500 without any of its text.
final class ErrorMapping {
  private static final Logger log = LoggerFactory.getLogger(ErrorMapping.class);

  /// Long enough for a step or a short answer to end.
  private static final Duration SOON = Duration.ofSeconds(1);

  /// Long enough for a load to get on.
  private static final Duration LATER = Duration.ofSeconds(2);

  private ErrorMapping() {}

  static ApiError of(Throwable failure) {
    return switch (failure) {
      case ApiException e -> e.error();
      case CompletionException e when e.getCause() != null -> of(e.getCause());
      case ChatTemplateException e ->
          ApiError.of(
              Category.INVALID,
              "The model's chat template refuses these messages: " + e.getMessage(),
              "messages",
              "chat_template_refused");
      case InvalidManifestException e ->
          ApiError.of(
              Category.INVALID, String.valueOf(e.getMessage()), e.field(), "invalid_manifest");
      case JsonProcessingException _ ->
          ApiError.of(
              Category.INVALID, "We could not parse the JSON body of your request.", null, null);
      case CancellationException _ -> cancelled();
      case EmbeddingException e ->
          switch (e.code()) {
            case QUEUE_FULL -> tooManyRequests();
            case UNLOADED -> unloaded();
            case INTERNAL -> generationFailed();
          };
      default -> internal(failure);
    };
  }

  static ApiError of(Submission.Rejected rejected) {
    return switch (rejected.code()) {
      case QUEUE_FULL -> tooManyRequests();
      case CONTEXT_LENGTH, NEVER_FITS ->
          ApiError.of(Category.INVALID, rejected.message(), null, "context_length_exceeded");
      case CLOSING -> unloaded();
      case OVERRUN -> ApiError.of(Category.INVALID, rejected.message(), "choices", "invalid_value");
      case NOT_IN_TIME_MEMORY, NOT_IN_TIME_DECODE_SHARE, NOT_IN_TIME_PROMPTS ->
          new ApiError(
              Category.OVERLOADED,
              "The promises of this device could not be kept: " + rejected.message() + ".",
              null,
              rejected.code().name().toLowerCase(Locale.ROOT),
              SOON,
              null,
              rejected.values());
    };
  }

  static ApiError of(GenerationError error) {
    return switch (error.code()) {
      case CANCELLED -> cancelled();
      case DEADLINE -> deadlinePassed();
      case UNLOADED -> unloaded();
      case INTERNAL -> generationFailed();
    };
  }

  static ApiError tooManyRequests() {
    return new ApiError(
        Category.OVERLOADED,
        "Too many requests are waiting. Try again soon.",
        null,
        "queue_full",
        SOON,
        null);
  }

  private static ApiError generationFailed() {
    return ApiError.of(
        Category.INTERNAL, "The model failed on this request.", null, "generation_failed");
  }

  static ApiError cancelled() {
    return ApiError.of(Category.UNAVAILABLE, "The request was cancelled.", null, "cancelled");
  }

  static ApiError deadlinePassed() {
    return unavailable("No token came within the time allowed.", "deadline_exceeded", SOON);
  }

  static ApiError draining() {
    return unavailable("The runtime is shutting down.", "draining", SOON);
  }

  static ApiError unknownModel(String name) {
    return ApiError.of(
        Category.NOT_FOUND,
        "The model '%s' does not exist here.".formatted(name),
        "model",
        "model_not_found");
  }

  /// The function is known and not serving: it loads, has failed to, or waits for someone to load
  /// it.
  static ApiError notReady(InstanceStatus status) {
    String name = status.revision().function().value();
    InstanceStatus.LoadProgress progress = status.progress();
    if (progress != null) {
      return new ApiError(
          Category.UNAVAILABLE,
          "The model '%s' is loading. Try again soon.".formatted(name),
          "model",
          "model_loading",
          LATER,
          new Loading(
              progress.phase().name().toLowerCase(Locale.ROOT),
              progress.bytesDone(),
              progress.bytesTotal()));
    }
    InstanceStatus.Failure failure = status.failure();
    if (failure != null) {
      return new ApiError(
          Category.UNAVAILABLE,
          "The model '%s' could not be loaded: %s".formatted(name, failure.message()),
          "model",
          "model_load_failed",
          failure.permanent() ? null : LATER,
          null);
    }
    return notLoaded(name);
  }

  /// The function exists, and nobody is loading it here.
  static ApiError notLoaded(String name) {
    return new ApiError(
        Category.UNAVAILABLE,
        "The model '%s' is not loaded.".formatted(name),
        "model",
        "model_not_loaded",
        LATER,
        new Loading("not_loaded", 0, 0));
  }

  private static ApiError unloaded() {
    return unavailable("The model was unloaded. Try again.", "model_unloaded", SOON);
  }

  private static ApiError unavailable(String message, String code, Duration retryAfter) {
    return new ApiError(Category.UNAVAILABLE, message, null, code, retryAfter, null);
  }

  private static ApiError internal(Throwable failure) {
    log.atError().setCause(failure).log("a request failed unexpectedly");
    return ApiError.of(
        Category.INTERNAL,
        "The server had an error while processing your request.",
        null,
        "internal_error");
  }
}
