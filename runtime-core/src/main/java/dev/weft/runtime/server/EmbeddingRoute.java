package dev.weft.runtime.server;

import dev.weft.runtime.instance.Lease;
import dev.weft.runtime.instance.ServingModel.Embedder;
import dev.weft.runtime.server.openai.ApiError;
import dev.weft.runtime.server.openai.EmbeddingReply;
import dev.weft.runtime.server.openai.EmbeddingRequest;
import dev.weft.runtime.server.openai.TextInput;
import dev.weft.runtime.server.openai.TokenUsage;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/// `POST /v1/embeddings`.
final class EmbeddingRoute {
  private final ModelRequests models;
  private final RuntimeMetrics metrics;

  EmbeddingRoute(ModelRequests models, RuntimeMetrics metrics) {
    this.models = models;
    this.metrics = metrics;
  }

  void embed(Call call) {
    var timer = new RequestTimer(metrics, "embeddings");
    try {
      EmbeddingRequest request = EmbeddingRequest.parse(call.json());
      Lease lease = models.acquire(call, request.model());
      submit(call, lease, request, timer);
    } catch (RuntimeException e) {
      fail(call, e, timer);
    }
  }

  private void submit(Call call, Lease lease, EmbeddingRequest request, RequestTimer timer) {
    boolean submitted = false;
    try {
      String function = lease.model().common().revision().function().value();
      timer.function(function);
      if (!(lease.model() instanceof Embedder model)) {
        throw ModelRequests.wrongKind(function, "generates text, and does not make embeddings");
      }
      List<int[]> texts = tokens(model, request);
      CompletableFuture<List<float[]>> vectors = model.encoder().embed(texts);
      submitted = true;
      call.onDeparture(() -> vectors.cancel(false));
      int promptTokens = texts.stream().mapToInt(text -> text.length).sum();
      var answered = new Answered(function, request, promptTokens, timer);
      var _ =
          vectors.whenComplete((result, failure) -> {
            lease.close();
            // Off the device's thread: writing vectors as text takes time.
            call.onContext(() -> reply(call, answered, result, failure));
          });
    } finally {
      if (!submitted) {
        lease.close();
      }
    }
  }

  private record Answered(
      String function, EmbeddingRequest request, int promptTokens, RequestTimer timer) {}

  private static void reply(
      Call call, Answered answered, @Nullable List<float[]> vectors, @Nullable Throwable failure) {
    if (vectors == null) {
      fail(
          call,
          failure == null ? new IllegalStateException("no result") : failure,
          answered.timer());
      return;
    }
    call.respond(
        200,
        EmbeddingReply.whole(
            answered.function(), vectors, answered.request().encoding(), answered.promptTokens()));
    answered.timer().end(new TokenUsage(answered.promptTokens(), 0, 0), null);
  }

  private static void fail(Call call, Throwable failure, RequestTimer timer) {
    ApiError error = ErrorMapping.of(failure);
    timer.end(TokenUsage.NONE, error);
    call.fail(error);
  }

  private static List<int[]> tokens(Embedder model, EmbeddingRequest request) {
    if (request.dimensions().isPresent() && request.dimensions().getAsInt() != model.dimensions()) {
      throw ApiError.invalid(
          "dimensions",
          "invalid_value",
          "Invalid 'dimensions': this model's vectors have %d, and cannot be shortened."
              .formatted(model.dimensions()));
    }
    List<int[]> texts = new ArrayList<>();
    for (TextInput input : request.inputs()) {
      int[] tokens = ModelRequests.tokens(model.common(), input, "input", false);
      if (tokens.length > model.common().contextLength()) {
        throw ModelRequests.tooLong(tokens.length, model.common().contextLength(), "input");
      }
      texts.add(tokens);
    }
    return texts;
  }
}
