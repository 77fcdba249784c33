package dev.weft.runtime.server;

import dev.weft.functions.instance.ControlApi;
import dev.weft.runtime.engine.GenerationRequest;
import dev.weft.runtime.instance.ChatSupport;
import dev.weft.runtime.instance.Lease;
import dev.weft.runtime.instance.ServingModel;
import dev.weft.runtime.instance.ServingModel.Generator;
import dev.weft.runtime.server.GenerationPlan.Format;
import dev.weft.runtime.server.GenerationPlan.Sequence;
import dev.weft.runtime.server.openai.ApiError;
import dev.weft.runtime.server.openai.ApiException;
import dev.weft.runtime.server.openai.ChatReply;
import dev.weft.runtime.server.openai.ChatRequest;
import dev.weft.runtime.server.openai.CompletionReply;
import dev.weft.runtime.server.openai.CompletionRequest;
import dev.weft.runtime.server.openai.ContinueRequest;
import dev.weft.runtime.server.openai.ContinueRequest.Begun;
import dev.weft.runtime.server.openai.GenerationParameters;
import dev.weft.runtime.server.openai.GenerationParameters.Streaming;
import dev.weft.runtime.server.openai.Logprobs;
import dev.weft.runtime.server.openai.ReplyHead;
import dev.weft.runtime.server.openai.TextInput;
import dev.weft.runtime.server.openai.TokenUsage;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.regex.Pattern;

/// `POST /v1/chat/completions`, `POST /v1/completions`, and `POST /control/continue` for streams of
/// either: from a body to a [GenerationPlan], on a request worker.
final class GenerationRoutes {
  static final String CHAT = "/v1/chat/completions";
  static final String COMPLETIONS = "/v1/completions";
  private static final long MOST_WAITED_MILLIS = Duration.ofDays(1).toMillis();
  private static final Pattern RESPONSE_ID = Pattern.compile("[A-Za-z0-9_.-]{1,128}");

  private final ModelRequests models;
  private final ServerSettings settings;
  private final RuntimeMetrics metrics;
  private final InstantSource clock;
  private final Moves moves;

  GenerationRoutes(
      ModelRequests models,
      ServerSettings settings,
      RuntimeMetrics metrics,
      InstantSource clock,
      Moves moves) {
    this.moves = moves;
    this.models = models;
    this.settings = settings;
    this.metrics = metrics;
    this.clock = clock;
  }

  void chat(Call call) {
    chat(call, () -> new ContinueRequest(CHAT, call.json(), ContinueRequest.NOTHING));
  }

  void complete(Call call) {
    complete(call, () -> new ContinueRequest(COMPLETIONS, call.json(), ContinueRequest.NOTHING));
  }

  /// Goes on with a stream that broke.
  void resume(Call call) {
    ContinueRequest broken = ContinueRequest.parse(call.json());
    if (!broken.request().path("stream").asBoolean()) {
      throw ApiError.invalid("request", "invalid_value", "Only a stream can be continued.");
    }
    switch (broken.path()) {
      case CHAT -> chat(call, () -> broken);
      case COMPLETIONS -> complete(call, () -> broken);
      default ->
          throw ApiError.invalid("path", "invalid_value", "Nothing at this path is a stream.");
    }
  }

  private void chat(Call call, Supplier<ContinueRequest> body) {
    answer(
        call,
        "chat",
        timer -> {
          ContinueRequest broken = body.get();
          ChatRequest request = ChatRequest.parse(broken.request());
          return new Prepared(
              request.model(), model -> chatPlan(new Context(call, model, timer, broken), request));
        });
  }

  private void complete(Call call, Supplier<ContinueRequest> body) {
    answer(
        call,
        "text_completion",
        timer -> {
          ContinueRequest broken = body.get();
          CompletionRequest request = CompletionRequest.parse(broken.request());
          return new Prepared(
              request.model(),
              model -> completionPlan(new Context(call, model, timer, broken), request));
        });
  }

  /// A request that has been read: whose model it wants, and what it will do with it.
  private record Prepared(Optional<String> model, Function<Generator, GenerationPlan> plan) {}

  /// What planning needs of the request beside its body.
  private record Context(Call call, Generator model, RequestTimer timer, ContinueRequest broken) {
    ServingModel.Common common() {
      return model.common();
    }

    String function() {
      return common().revision().function().value();
    }
  }

  private void answer(Call call, String operation, Function<RequestTimer, Prepared> read) {
    var timer = new RequestTimer(metrics, operation);
    try {
      if (call.departed()) {
        timer.end(TokenUsage.NONE, ErrorMapping.cancelled());
        return;
      }
      Prepared prepared = read.apply(timer);
      Lease lease = models.acquire(call, prepared.model());
      start(call, lease, prepared, timer);
    } catch (RuntimeException e) {
      ApiError error = ErrorMapping.of(e);
      timer.end(TokenUsage.NONE, error);
      call.fail(error);
    }
  }

  /// Hands the lease over to a run, or closes it.
  private void start(Call call, Lease lease, Prepared prepared, RequestTimer timer) {
    boolean started = false;
    try {
      String function = lease.model().common().revision().function().value();
      timer.function(function);
      if (!(lease.model() instanceof Generator model)) {
        throw ModelRequests.wrongKind(function, "makes embeddings, and does not generate text");
      }
      GenerationPlan plan = prepared.plan().apply(model);
      var run = new GenerationRun(call, lease, model, plan, settings, timer, moves);
      started = true;
      run.start();
    } finally {
      if (!started) {
        lease.close();
      }
    }
  }

  private GenerationPlan chatPlan(Context context, ChatRequest request) {
    ChatSupport.Template template =
        switch (context.model().chat()) {
          case ChatSupport.Template found -> found;
          case ChatSupport.None(String reason) ->
              throw ModelRequests.wrongKind(
                  context.function(), "cannot chat: %s; /v1/completions works".formatted(reason));
        };
    int[] prompt = ChatPrompts.tokens(template, context.common().tokenizer(), request.messages());
    GenerationParameters generation = request.generation();
    String id = responseId(context.call(), "chatcmpl-");
    var reply = new ChatReply(head(context, id, generation), logprobs(context, generation));
    List<Sequence> sequences = new ArrayList<>();
    long seed = seed(context.call(), generation);
    for (int i = 0; i < generation.choices(); i++) {
      GenerationRequest sequence =
          request(context, generation, prompt, new Choice(id, i, i, seed, false, "messages"));
      sequences.add(new Sequence(sequence, Optional.empty(), i == 0, false, begun(context, i)));
    }
    checkBegun(context, sequences.size());
    return new GenerationPlan(sequences, reply, format(context.call(), generation));
  }

  private GenerationPlan completionPlan(Context context, CompletionRequest request) {
    GenerationParameters generation = request.generation();
    String id = responseId(context.call(), "cmpl-");
    var reply = new CompletionReply(head(context, id, generation), logprobs(context, generation));
    List<Sequence> sequences = new ArrayList<>();
    long seed = seed(context.call(), generation);
    boolean score = request.echo() && generation.logprobs();
    for (TextInput input : request.prompts()) {
      int[] prompt = ModelRequests.tokens(context.common(), input, "prompt", true);
      Optional<String> echo = request.echo() ? Optional.of(text(context, input)) : Optional.empty();
      for (int i = 0; i < generation.choices(); i++) {
        int index = sequences.size();
        var choice = new Choice(id, index, i, seed, score, "prompt");
        sequences.add(
            new Sequence(
                request(context, generation, prompt, choice),
                echo,
                i == 0,
                request.scoreOnly(),
                begun(context, index)));
      }
    }
    checkBegun(context, sequences.size());
    return new GenerationPlan(sequences, reply, format(context.call(), generation));
  }

  /// One choice of a request.
  ///
  /// @param index among all choices, for the id
  /// @param variant among the choices with the same prompt, for the seed
  /// @param param what to name when the prompt is too long
  private record Choice(
      String responseId, int index, int variant, long seed, boolean score, String param) {}

  private GenerationRequest request(
      Context context, GenerationParameters generation, int[] prompt, Choice choice) {
    ServingModel.Common model = context.common();
    checkBias(generation, model.tokenizer().vocabularySize());
    var fresh =
        new GenerationRequest(
                choice.responseId() + "-" + choice.index(),
                prompt,
                generation.samplingOf(choice.variant(), choice.seed()),
                maxTokens(model, generation, prompt.length, choice.param()),
                generation.minTokens(),
                generation.stop(),
                generation.ignoreEnd(),
                choice.score(),
                generation.promptLookupTokens(),
                deadline(context))
            .waited(waited(context));
    return begun(context, choice.index()).map(begun -> after(fresh, begun, model)).orElse(fresh);
  }

  private static Optional<Begun> begun(Context context, int index) {
    return Optional.ofNullable(context.broken().begun().get(index));
  }

  private static void checkBegun(Context context, int choices) {
    for (int index : context.broken().begun().keySet()) {
      if (index >= choices) {
        throw invalidBegun("The request has %d choices, and %d is none.".formatted(choices, index));
      }
    }
  }

  private static GenerationRequest after(
      GenerationRequest fresh, Begun begun, ServingModel.Common model) {
    int[] tokens = begun.tokens();
    if (tokens.length > fresh.maxTokens()) {
      throw invalidBegun(
          "%d tokens of at most %d have been read.".formatted(tokens.length, fresh.maxTokens()));
    }
    for (int token : tokens) {
      if (token < 0 || token >= model.tokenizer().vocabularySize()) {
        throw invalidBegun("%d is not a token of this model.".formatted(token));
      }
    }
    return fresh.after(tokens);
  }

  private static ApiException invalidBegun(String message) {
    return ApiError.invalid("choices", "invalid_value", message);
  }

  /// What was asked for, as far as the function allows it; else all that the context has left.
  private static int maxTokens(
      ServingModel.Common model, GenerationParameters generation, int promptTokens, String param) {
    int left = model.contextLength() - promptTokens;
    if (left < 1) {
      throw ModelRequests.tooLong(promptTokens, model.contextLength(), param);
    }
    Integer limit = model.limits().maxOutputTokens();
    OptionalInt asked = generation.maxTokens();
    if (asked.isEmpty()) {
      return limit == null ? left : Math.min(limit, left);
    }
    if (limit != null && asked.getAsInt() > limit) {
      throw ApiError.invalid(
          "max_tokens",
          "integer_above_max_value",
          "Invalid 'max_tokens': the function allows at most %d, but got %d instead."
              .formatted(limit, asked.getAsInt()));
    }
    if (asked.getAsInt() > left) {
      throw ApiError.invalid(
          param,
          "context_length_exceeded",
          "This model's maximum context length is %d tokens. However, you requested %d tokens (%d in the prompt, %d in the completion). Please reduce one of them."
              .formatted(
                  model.contextLength(),
                  (long) promptTokens + asked.getAsInt(),
                  promptTokens,
                  asked.getAsInt()));
    }
    return asked.getAsInt();
  }

  private static void checkBias(GenerationParameters generation, int vocabulary) {
    for (int token : generation.sampling().logitBias().keySet()) {
      if (token >= vocabulary) {
        throw ApiError.invalid(
            "logit_bias",
            "invalid_value",
            "Invalid 'logit_bias': %d is not a token of this model, whose vocabulary has %d."
                .formatted(token, vocabulary));
      }
    }
  }

  /// What is left of the time that the caller gives until the first token.
  private static Optional<Duration> deadline(Context context) {
    OptionalLong millis = context.call().longHeader(ControlApi.DEADLINE_HEADER);
    if (millis.isEmpty()) {
      return Optional.empty();
    }
    Duration left = Duration.ofMillis(millis.getAsLong()).minus(context.timer().elapsed());
    if (!left.isPositive()) {
      throw new ApiException(ErrorMapping.deadlinePassed());
    }
    return Optional.of(left);
  }

  /// Since its caller began to wait for the first token.
  private static Duration waited(Context context) {
    OptionalLong millis = context.call().longHeader(ControlApi.WAITED_HEADER);
    return Duration.ofMillis(Math.clamp(millis.orElse(0), 0, MOST_WAITED_MILLIS))
        .plus(context.timer().elapsed());
  }

  private static String text(Context context, TextInput input) {
    return switch (input) {
      case TextInput.Text(String text) -> text;
      case TextInput.Tokens(int[] tokens) -> context.common().tokenizer().decode(tokens, false);
    };
  }

  private ReplyHead head(Context context, String id, GenerationParameters generation) {
    long created =
        context
            .call()
            .longHeader(ControlApi.CREATED_HEADER)
            .orElseGet(() -> clock.instant().getEpochSecond());
    return new ReplyHead(
        id,
        created,
        context.function(),
        context.common().fingerprint(),
        generation.streaming() == Streaming.WITH_USAGE);
  }

  private static Optional<Logprobs> logprobs(Context context, GenerationParameters generation) {
    return generation.logprobs()
        ? Optional.of(
            new Logprobs(
                context.common().tokenizer()::tokenBytes, generation.sampling().topLogprobs()))
        : Optional.empty();
  }

  private static Format format(Call call, GenerationParameters generation) {
    boolean tokenComments =
        generation.streamed() && call.header(ControlApi.TOKENS_HEADER).equals(Optional.of("1"));
    return new Format(
        generation.streamed(),
        generation.logprobs(),
        generation.streaming() == Streaming.WITH_USAGE || tokenComments,
        tokenComments,
        call.header(ControlApi.TIMES_HEADER).equals(Optional.of("1")));
  }

  private static long seed(Call call, GenerationParameters generation) {
    if (generation.seed().isPresent()) {
      return generation.seed().getAsLong();
    }
    return call.longHeader(ControlApi.SEED_HEADER)
        .orElseGet(() -> ThreadLocalRandom.current().nextLong());
  }

  private static String responseId(Call call, String prefix) {
    Optional<String> chosen = call.header(ControlApi.RESPONSE_ID_HEADER);
    if (chosen.isPresent() && !RESPONSE_ID.matcher(chosen.get()).matches()) {
      throw ApiError.invalid(
          ControlApi.RESPONSE_ID_HEADER,
          "invalid_header",
          "The header '%s' is not a response id.".formatted(ControlApi.RESPONSE_ID_HEADER));
    }
    return chosen.orElseGet(() -> prefix + RandomIds.next());
  }
}
