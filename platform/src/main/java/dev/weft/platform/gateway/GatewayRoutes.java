package dev.weft.platform.gateway;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.Json;
import dev.weft.functions.Model;
import dev.weft.functions.ModelName;
import dev.weft.functions.instance.ControlApi;
import dev.weft.platform.config.Role;
import dev.weft.platform.config.WeftConfig;
import dev.weft.platform.control.Decisions;
import dev.weft.platform.control.Demand;
import dev.weft.platform.control.DeployedFunction;
import dev.weft.platform.control.Fleet;
import dev.weft.platform.control.FunctionDirectory;
import dev.weft.platform.gateway.activator.Activator;
import dev.weft.platform.http.ApiError;
import dev.weft.platform.http.ApiException;
import dev.weft.platform.http.Authentication;
import dev.weft.platform.http.RequestIds;
import dev.weft.platform.keys.ApiKey;
import dev.weft.platform.telemetry.GatewayMetrics;
import dev.weft.platform.telemetry.Invocation.WorkflowPlace;
import dev.weft.platform.telemetry.InvocationSink;
import dev.weft.platform.telemetry.Traces;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import io.vertx.ext.web.handler.BodyHandler;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/// The routes of callers: `/v1/...` as OpenAI has them, and `POST /functions/{name}/invoke`.
@Singleton
public final class GatewayRoutes {
  private static final int MAX_WORKFLOW_WORD = 128;
  private static final Duration AGAIN = Duration.ofSeconds(1);
  private static final int AFTER_ALL_ROUTES = 1_000_000;

  private final WeftConfig.Gateway config;
  private final Role role;
  private final FunctionDirectory directory;
  private final Fleet fleet;
  private final Traces traces;
  private final GatewayCall.Shared shared;
  private final RequestHead.Scanner scanner;
  private final ObjectMapper json = Json.mapper();

  public GatewayRoutes(
      Vertx vertx,
      WeftConfig config,
      FunctionDirectory directory,
      Fleet fleet,
      Demand demand,
      Decisions decisions,
      Activator activator,
      Upstream upstream,
      GatewayMetrics metrics,
      InvocationSink journal,
      Traces traces) {
    this.config = config.gateway();
    this.role = config.role();
    this.directory = directory;
    this.fleet = fleet;
    this.traces = traces;
    this.scanner = new RequestHead.Scanner(this.config.maxDepth());
    this.shared =
        new GatewayCall.Shared(
            vertx,
            activator,
            upstream,
            fleet,
            demand,
            decisions,
            metrics,
            journal,
            this.config.heartbeat(),
            this.config.maxAnswer().asLongValue());
  }

  void register(@Observes Router router) {
    if (role.gateway()) {
      registerCalls(router);
    }
    router
        .route()
        .order(AFTER_ALL_ROUTES)
        .handler(context ->
            ApiError.notFound(
                    "unknown_url",
                    "there is nothing at %s %s; this process is %s"
                        .formatted(
                            context.request().method(), context.normalizedPath(), role.said()))
                .send(context.response()));
  }

  private void registerCalls(Router router) {
    BodyHandler body = BodyHandler.create(false).setBodyLimit(config.maxBody().asLongValue());
    for (Operation operation : Operation.values()) {
      router
          .post(operation.path())
          .handler(body)
          .handler(context -> guarded(context, () -> openAi(context, operation)))
          .failureHandler(this::bodyFailed);
    }
    router
        .post("/functions/:name/invoke")
        .handler(body)
        .handler(context -> guarded(context, () -> invoke(context)))
        .failureHandler(this::bodyFailed);
    router.get("/v1/models").handler(this::models);
    router.get("/v1/models/:name").handler(context -> guarded(context, () -> model(context)));
  }

  private void guarded(RoutingContext context, Runnable handler) {
    try {
      handler.run();
    } catch (ApiException e) {
      traces.turnedAway(context.request().headers(), e.error());
      e.error().send(context.response());
    }
  }

  private void bodyFailed(RoutingContext context) {
    ApiError error =
        switch (context.statusCode()) {
          case 413 ->
              new ApiError(
                  413,
                  "invalid_request_error",
                  "body_too_large",
                  null,
                  "the body is larger than %d bytes".formatted(config.maxBody().asLongValue()),
                  null,
                  null);
          case 400 -> ApiError.invalid(null, "invalid_body", "the body could not be read");
          default -> ApiError.broken(500, "internal_error", "the gateway failed on this request");
        };
    error.send(context.response());
  }

  private void openAi(RoutingContext context, Operation operation) {
    Buffer body = body(context);
    RequestHead head = scanner.scan(body.getBytes());
    String model = head.model();
    if (model == null || model.isEmpty()) {
      throw new ApiException(
          ApiError.invalid("model", "missing_model", "name the function to call as 'model'"));
    }
    DeployedFunction function = find(context, model);
    Model.Kind kind = kind(function).orElse(operation.kind());
    if (kind != operation.kind()) {
      throw new ApiException(
          ApiError.invalid(
              "model",
              "unsupported_operation",
              "'%s' %s and does not answer %s".formatted(model, what(kind), operation.path())));
    }
    start(context, function, operation, head, body);
  }

  private void invoke(RoutingContext context) {
    String name = Objects.requireNonNull(context.pathParam("name"));
    Buffer body = body(context);
    RequestHead head = scanner.scan(body.getBytes());
    DeployedFunction function = find(context, name);
    String model = head.model();
    if (model != null && !model.equals(name)) {
      throw new ApiException(
          ApiError.invalid(
              "model",
              "model_mismatch",
              "'model' says '%s' and the address '%s'; leave 'model' out".formatted(model, name)));
    }
    start(context, function, operation(function, head), head, body);
  }

  private Operation operation(DeployedFunction function, RequestHead head) {
    boolean embeds =
        kind(function).map(kind -> kind == Model.Kind.EMBEDDING).orElse(head.has("input"));
    if (embeds) {
      return Operation.EMBEDDING;
    }
    if (head.has("messages")) {
      return Operation.CHAT;
    }
    if (head.has("prompt")) {
      return Operation.COMPLETION;
    }
    throw new ApiException(
        ApiError.invalid(
            "messages",
            "missing_input",
            "'%s' generates text: give 'messages' or 'prompt'".formatted(function.name())));
  }

  private void start(
      RoutingContext context,
      DeployedFunction function,
      Operation operation,
      RequestHead head,
      Buffer body) {
    GatewayRequest request =
        new GatewayRequest(
            RequestIds.of(context),
            function,
            operation,
            head,
            body,
            Authentication.keyOf(context),
            new WorkflowPlace(
                word(context, ControlApi.WORKFLOW_HEADER),
                word(context, ControlApi.STAGE_HEADER),
                word(context, ControlApi.PARENT_HEADER)),
            RequestIds.random(operation.idPrefix()),
            Instant.now(),
            System.nanoTime(),
            ThreadLocalRandom.current().nextInt(Integer.MAX_VALUE),
            traces.begin(context.request().headers(), operation.telemetryName(), function.name()));
    Context loop = context.vertx().getOrCreateContext();
    new GatewayCall(shared, loop, request, context.response()).start();
  }

  private static @Nullable String word(RoutingContext context, String header) {
    String value = context.request().getHeader(header);
    if (value != null && value.length() > MAX_WORKFLOW_WORD) {
      throw new ApiException(
          ApiError.invalid(
              header,
              "invalid_header",
              "the header %s is longer than %d characters".formatted(header, MAX_WORKFLOW_WORD)));
    }
    return value;
  }

  private static Buffer body(RoutingContext context) {
    Buffer body = context.body().buffer();
    return body == null ? Buffer.buffer() : body;
  }

  /// The function, if the key may call it. A key that is for some functions does not learn of
  /// others.
  private DeployedFunction find(RoutingContext context, String name) {
    ApiKey key = Authentication.keyOf(context);
    if (!key.mayInvoke()) {
      throw new ApiException(
          ApiError.forbidden("the API key '%s' has no scope invoke".formatted(key.name())));
    }
    return ModelName.parse(name)
        .filter(known -> key.mayInvoke(known.function()))
        .flatMap(known ->
            directory
                .snapshot()
                .find(known.function())
                .filter(function -> known.fits(function.name(), function.spec())))
        .orElseThrow(() -> new ApiException(unknown(name)));
  }

  /// Only who is current can say that there is no such function.
  private ApiError unknown(String name) {
    if (!directory.current()) {
      return ApiError.unavailable(
          "controller_unreachable",
          "this gateway cannot reach its controller and does not know '%s'".formatted(name),
          AGAIN);
    }
    return ApiError.notFound(
        "model_not_found",
        "there is no function '%s', or this key may not call it".formatted(name));
  }

  /// What the function does: as declared, or as an instance found out.
  private Optional<Model.Kind> kind(DeployedFunction function) {
    Model.Kind declared = function.spec().model().kind();
    return declared != null
        ? Optional.of(declared)
        : fleet.instancesOf(function.active().id()).stream()
            .map(placed -> placed.instance().kind())
            .filter(Objects::nonNull)
            .findFirst();
  }

  private static String what(Model.Kind kind) {
    return switch (kind) {
      case GENERATION -> "generates text";
      case EMBEDDING -> "computes embeddings";
    };
  }

  private record ModelView(
      String id, String object, long created, @JsonProperty("owned_by") String ownedBy) {
    static ModelView of(DeployedFunction function) {
      return new ModelView(
          function.name().value(), "model", function.createdAt().getEpochSecond(), "weft");
    }
  }

  private record ModelList(String object, List<ModelView> data) {}

  private void models(RoutingContext context) {
    ApiKey key = Authentication.keyOf(context);
    List<ModelView> visible =
        directory.snapshot().sorted().stream()
            .filter(function -> key.mayInvoke(function.name()))
            .map(ModelView::of)
            .toList();
    write(context, new ModelList("list", visible));
  }

  private void model(RoutingContext context) {
    write(context, ModelView.of(find(context, Objects.requireNonNull(context.pathParam("name")))));
  }

  private void write(RoutingContext context, Object value) {
    try {
      context
          .response()
          .putHeader("Content-Type", "application/json")
          .end(Buffer.buffer(json.writeValueAsBytes(value)));
    } catch (JsonProcessingException e) {
      throw new AssertionError("a model can be written", e);
    }
  }
}
