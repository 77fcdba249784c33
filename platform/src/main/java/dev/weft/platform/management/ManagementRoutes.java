package dev.weft.platform.management;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.Function;
import dev.weft.functions.FunctionName;
import dev.weft.functions.InvalidManifestException;
import dev.weft.functions.Json;
import dev.weft.functions.Manifests;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.Tier;
import dev.weft.platform.config.Role;
import dev.weft.platform.config.WeftConfig;
import dev.weft.platform.control.Decisions;
import dev.weft.platform.control.DeployedFunction;
import dev.weft.platform.control.FunctionController;
import dev.weft.platform.control.RuntimeUnavailableException;
import dev.weft.platform.http.ApiError;
import dev.weft.platform.http.BlockingHandler;
import dev.weft.platform.http.BlockingHandler.Reply;
import dev.weft.platform.management.ManagementApi.DecisionList;
import dev.weft.platform.management.ManagementApi.DecisionView;
import dev.weft.platform.management.ManagementApi.Deployed;
import dev.weft.platform.management.ManagementApi.DeviceList;
import dev.weft.platform.management.ManagementApi.FunctionList;
import dev.weft.platform.management.ManagementApi.InvocationList;
import dev.weft.platform.management.ManagementApi.InvocationView;
import dev.weft.platform.management.ManagementApi.KeyList;
import dev.weft.platform.management.ManagementApi.KeyRequest;
import dev.weft.platform.management.ManagementApi.PrewarmRequest;
import dev.weft.platform.management.ManagementApi.RevisionList;
import dev.weft.platform.management.ManagementApi.RollbackRequest;
import dev.weft.platform.state.DatabaseException;
import dev.weft.platform.state.FunctionStore;
import dev.weft.platform.state.InvocationJournal;
import dev.weft.platform.telemetry.Invocation;
import io.vertx.core.http.HttpMethod;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import io.vertx.ext.web.handler.BodyHandler;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// The routes of [ManagementApi].
@Singleton
public final class ManagementRoutes {
  private static final int MAX_BODY_BYTES = 1 << 20;
  private static final int MAX_INVOCATIONS = 1_000;

  private final Role role;
  private final FunctionService functions;
  private final FunctionViews views;
  private final FunctionController controller;
  private final Decisions decisions;
  private final KeyService keys;
  private final FunctionLogs logs;
  private final StatusStream statusStream;
  private final InvocationJournal journal;
  private final Shutdown shutdown;
  private final ObjectMapper json = Json.mapper();

  public ManagementRoutes(
      WeftConfig config,
      FunctionService functions,
      FunctionViews views,
      FunctionController controller,
      Decisions decisions,
      KeyService keys,
      FunctionLogs logs,
      StatusStream statusStream,
      InvocationJournal journal,
      Shutdown shutdown) {
    this.role = config.role();
    this.functions = functions;
    this.views = views;
    this.controller = controller;
    this.decisions = decisions;
    this.keys = keys;
    this.logs = logs;
    this.statusStream = statusStream;
    this.journal = journal;
    this.shutdown = shutdown;
  }

  /// A gateway has no functions to manage: it says what it is and what it decided.
  void register(@Observes Router router) {
    on(
        router,
        HttpMethod.GET,
        ManagementApi.DECISIONS,
        context -> list(decisions.latest(decisionLimit(context))));
    on(router, HttpMethod.GET, ManagementApi.DECISIONS + "/:subject", this::explain);
    on(router, HttpMethod.POST, ManagementApi.SHUTDOWN, this::shutDown);
    on(router, HttpMethod.GET, ManagementApi.VERSION, _ -> ok(shutdown.version()));
    if (role.controller()) {
      registerManagement(router);
    }
  }

  private void registerManagement(Router router) {
    String function = ManagementApi.FUNCTIONS + "/:name";
    on(router, HttpMethod.POST, ManagementApi.FUNCTIONS, context -> deploy(context, null));
    on(router, HttpMethod.PUT, function, context -> deploy(context, name(context)));
    on(
        router,
        HttpMethod.GET,
        ManagementApi.FUNCTIONS,
        _ -> ok(new FunctionList(views.functions())));
    on(router, HttpMethod.GET, function, context -> ok(view(functions.find(name(context)))));
    on(router, HttpMethod.DELETE, function, this::delete);
    on(router, HttpMethod.GET, function + "/revisions", this::revisions);
    on(router, HttpMethod.GET, function + "/invocations", this::invocations);
    on(router, HttpMethod.POST, function + "/rollback", this::rollback);
    on(router, HttpMethod.POST, function + "/prewarm", this::prewarm);
    on(router, HttpMethod.GET, function + "/logs", this::writeLogs);
    on(router, HttpMethod.GET, ManagementApi.DEVICES, _ -> ok(new DeviceList(views.devices())));
    String drain = ManagementApi.DEVICES + "/:device/drain";
    on(router, HttpMethod.POST, drain, context -> new Reply.Of(202, drain(context, true)));
    on(
        router,
        HttpMethod.DELETE,
        drain,
        context -> {
          drain(context, false);
          return new Reply.Empty();
        });
    on(router, HttpMethod.GET, ManagementApi.STATUS_STREAM, this::writeStatus);
    on(router, HttpMethod.POST, ManagementApi.KEYS, this::createKey);
    on(router, HttpMethod.GET, ManagementApi.KEYS, _ -> ok(new KeyList(keys.list())));
    on(router, HttpMethod.DELETE, ManagementApi.KEYS + "/:id", this::revokeKey);
  }

  private static void on(Router router, HttpMethod method, String path, BlockingHandler.Body body) {
    router
        .route(method, path)
        .handler(BodyHandler.create(false).setBodyLimit(MAX_BODY_BYTES))
        .handler(new BlockingHandler(body, ManagementRoutes::error));
  }

  private Reply deploy(RoutingContext context, @Nullable FunctionName name) {
    Function declared = Manifests.parseOne(text(context));
    if (name != null && !name.equals(declared.name())) {
      throw ManagementException.invalid(
          "metadata.name",
          "the manifest names '%s' and the address '%s'".formatted(declared.name(), name));
    }
    FunctionStore.Deployment deployment = functions.deploy(declared);
    return new Reply.Of(
        deployment.change() == FunctionStore.Change.CREATED ? 201 : 200,
        new Deployed(
            deployment.change().name().toLowerCase(Locale.ROOT), view(deployment.function())));
  }

  private Reply delete(RoutingContext context) {
    functions.delete(name(context));
    return new Reply.Empty();
  }

  private Reply revisions(RoutingContext context) {
    DeployedFunction function = functions.find(name(context));
    return ok(new RevisionList(function.active().id(), function.revisions()));
  }

  private Reply invocations(RoutingContext context) {
    FunctionName name = functions.find(name(context)).name();
    int limit = number(context.queryParam("limit"), 100);
    return ok(
        new InvocationList(
            journal.recent(name, limit).stream().map(ManagementRoutes::view).toList()));
  }

  private Reply rollback(RoutingContext context) {
    RollbackRequest request = body(context, RollbackRequest.class, new RollbackRequest(null));
    return ok(view(functions.rollback(name(context), request.revision())));
  }

  private Reply prewarm(RoutingContext context) {
    Tier tier = body(context, PrewarmRequest.class, new PrewarmRequest(null)).tier();
    return new Reply.Of(
        202, view(functions.prewarm(name(context), tier == null ? Tier.READY : tier)));
  }

  private ManagementApi.DeviceView drain(RoutingContext context, boolean wanted) {
    String name = Objects.requireNonNull(context.pathParam("device"));
    return views.devices().stream()
        .filter(device -> device.device().value().equals(name))
        .map(ManagementApi.DeviceView::device)
        .filter(device -> controller.drain(device, wanted))
        .findFirst()
        .flatMap(device ->
            views.devices().stream().filter(view -> view.device().equals(device)).findFirst())
        .orElseThrow(() -> ManagementException.notFound("device", name));
  }

  private Reply explain(RoutingContext context) {
    String subject = Objects.requireNonNull(context.pathParam("subject"));
    return list(decisions.of(subject, decisionLimit(context)));
  }

  private static int decisionLimit(RoutingContext context) {
    return number(context.queryParam("limit"), 50);
  }

  private static Reply list(List<Decisions.Decision> decisions) {
    return ok(
        new DecisionList(
            decisions.stream()
                .map(decision ->
                    new DecisionView(
                        decision.at(),
                        decision.function(),
                        decision.requestId(),
                        decision.kind().name().toLowerCase(Locale.ROOT),
                        decision.device(),
                        decision.why().text(),
                        decision.why().code(),
                        decision.why().values()))
                .toList()));
  }

  private Reply writeLogs(RoutingContext context) throws InterruptedException {
    FunctionName name = functions.find(name(context)).name();
    List<String> follow = context.queryParam("follow");
    boolean forever = !follow.isEmpty() && !follow.getFirst().equals("false");
    logs.write(name, forever, context.response());
    return new Reply.Written();
  }

  private Reply writeStatus(RoutingContext context) throws InterruptedException {
    statusStream.write(context.response());
    return new Reply.Written();
  }

  private Reply createKey(RoutingContext context) {
    return new Reply.Of(
        201, keys.create(body(context, KeyRequest.class, new KeyRequest("", null, null))));
  }

  private Reply revokeKey(RoutingContext context) {
    keys.revoke(Objects.requireNonNull(context.pathParam("id")));
    return new Reply.Empty();
  }

  private Reply shutDown(RoutingContext context) {
    shutdown.begin();
    return new Reply.Of(202, shutdown.version());
  }

  private ManagementApi.FunctionView view(DeployedFunction function) {
    return views.view(function);
  }

  private static InvocationView view(Invocation invocation) {
    RevisionId revision = invocation.revision();
    DeviceId device = invocation.device();
    Invocation.Tokens tokens = invocation.tokens();
    Duration ttft = invocation.ttft();
    return new InvocationView(
        invocation.requestId(),
        revision,
        device,
        invocation.operation(),
        invocation.status(),
        invocation.errorCode(),
        invocation.keyId(),
        invocation.workflow().workflow(),
        invocation.workflow().stage(),
        invocation.workflow().parent(),
        invocation.startedAt(),
        millis(invocation.held()),
        ttft == null ? null : millis(ttft),
        millis(invocation.duration()),
        tokens == null ? null : tokens.input(),
        tokens == null ? null : tokens.output());
  }

  private static double millis(Duration duration) {
    return duration.toNanos() / 1e6;
  }

  private static Reply ok(Object value) {
    return new Reply.Of(200, value);
  }

  private static FunctionName name(RoutingContext context) {
    return new FunctionName(Objects.requireNonNull(context.pathParam("name")));
  }

  private static String text(RoutingContext context) {
    String text = context.body().asString();
    return text == null ? "" : text;
  }

  private static int number(List<String> values, int otherwise) {
    if (values.isEmpty()) {
      return otherwise;
    }
    try {
      int number = Integer.parseInt(values.getFirst());
      if (number >= 1 && number <= MAX_INVOCATIONS) {
        return number;
      }
    } catch (NumberFormatException e) {
      // Answered below, with what is right.
    }
    throw ManagementException.invalid("limit", "limit is a number from 1 to " + MAX_INVOCATIONS);
  }

  private <T> T body(RoutingContext context, Class<T> type, T whenEmpty) {
    String text = text(context);
    if (text.isBlank()) {
      return whenEmpty;
    }
    try {
      T value = json.readValue(text, type);
      return value == null ? whenEmpty : value;
    } catch (JsonProcessingException e) {
      throw ManagementException.invalid(
          null,
          "the body cannot be read: " + e.getOriginalMessage().lines().findFirst().orElse(""));
    }
  }

  private static ApiError error(RuntimeException failure) {
    return switch (failure) {
      case ManagementException known ->
          new ApiError(
              known.status(),
              known.status() >= 500
                  ? "server_error"
                  : known.status() == 404 ? "not_found_error" : "invalid_request_error",
              known.code(),
              known.parameter(),
              String.valueOf(known.getMessage()),
              known.status() == 503 ? Duration.ofSeconds(2) : null,
              null);
      case InvalidManifestException invalid ->
          ApiError.invalid(
              invalid.field(), "invalid_manifest", String.valueOf(invalid.getMessage()));
      case RuntimeUnavailableException away ->
          ApiError.unavailable(
              "runtime_unavailable", String.valueOf(away.getMessage()), Duration.ofSeconds(2));
      case DatabaseException database when database.away() ->
          ApiError.databaseAway(String.valueOf(database.getMessage()));
      default -> ApiError.broken(500, "internal_error", "the call failed; the log says why");
    };
  }
}
