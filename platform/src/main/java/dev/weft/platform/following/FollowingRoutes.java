package dev.weft.platform.following;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.FunctionName;
import dev.weft.functions.Json;
import dev.weft.platform.config.Role;
import dev.weft.platform.config.WeftConfig;
import dev.weft.platform.control.Demand;
import dev.weft.platform.control.FunctionController;
import dev.weft.platform.control.FunctionDirectory;
import dev.weft.platform.following.ControllerState.DemandReport;
import dev.weft.platform.following.ControllerState.InvocationBatch;
import dev.weft.platform.http.ApiError;
import dev.weft.platform.http.ApiException;
import dev.weft.platform.http.BlockingHandler;
import dev.weft.platform.http.BlockingHandler.Reply;
import dev.weft.platform.http.ChangeFeed;
import dev.weft.platform.state.DatabaseException;
import dev.weft.platform.state.InvocationJournal;
import io.vertx.core.http.HttpMethod;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import io.vertx.ext.web.handler.BodyHandler;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;

/// The controller's side: what gateways call, with a key of the scope `gateway`.
@Singleton
public final class FollowingRoutes {
  private static final int MAX_BODY_BYTES = 16 << 20;
  private static final Duration LOOK_PERIOD = Duration.ofMillis(20);

  private final Role role;
  private final StateSource source;
  private final Demand demand;
  private final InvocationJournal journal;
  private final FunctionController controller;
  private final FunctionDirectory directory;
  private final ObjectMapper json = Json.mapper();

  FollowingRoutes(
      WeftConfig config,
      StateSource source,
      Demand demand,
      InvocationJournal journal,
      FunctionController controller,
      FunctionDirectory directory) {
    this.role = config.role();
    this.source = source;
    this.demand = demand;
    this.journal = journal;
    this.controller = controller;
    this.directory = directory;
  }

  void register(@Observes Router router) {
    if (role.controller()) {
      on(router, HttpMethod.GET, ControllerState.STREAM, this::stream);
      on(router, HttpMethod.POST, ControllerState.DEMAND, this::demand);
      on(router, HttpMethod.POST, ControllerState.INVOCATIONS, this::invocations);
    }
  }

  private static void on(Router router, HttpMethod method, String path, BlockingHandler.Body body) {
    router
        .route(method, path)
        .handler(BodyHandler.create(false).setBodyLimit(MAX_BODY_BYTES))
        .handler(new BlockingHandler(body, FollowingRoutes::error));
  }

  /// A controller that does not lead yet has read nothing, and must not be taken to say that there
  /// is nothing.
  private Reply stream(RoutingContext context) throws InterruptedException {
    if (!directory.current()) {
      throw new ApiException(
          ApiError.unavailable(
              "controller_waits", "this controller does not lead yet", Duration.ofSeconds(1)));
    }
    AtomicReference<ControllerState> told = new AtomicReference<>(ControllerState.NONE);
    ChangeFeed.write(
        context.response(),
        LOOK_PERIOD,
        () -> {
          ControllerState now = source.state();
          ControllerState news = now.since(told.getAndSet(now));
          return news.empty() ? Optional.empty() : Optional.of(text(news));
        },
        controller::stopped);
    return new Reply.Written();
  }

  private Reply demand(RoutingContext context) {
    DemandReport report = read(context, DemandReport.class);
    Map<FunctionName, Integer> held =
        report.held().entrySet().stream()
            .collect(
                Collectors.toMap(each -> new FunctionName(each.getKey()), Map.Entry::getValue));
    demand.report(report.gateway(), held, report.crowded(), report.called(), Instant.now());
    return new Reply.Empty();
  }

  /// Answered once they are written, so that a gateway may forget them.
  private Reply invocations(RoutingContext context) {
    InvocationBatch batch = read(context, InvocationBatch.class);
    journal.take(batch.id(), batch.invocations(), Instant.now());
    return new Reply.Empty();
  }

  private <T> T read(RoutingContext context, Class<T> type) {
    String text = context.body().asString();
    try {
      return json.readValue(text == null ? "" : text, type);
    } catch (JsonProcessingException e) {
      throw new ApiException(
          ApiError.invalid(
              null, "invalid_body", "the body cannot be read: " + e.getOriginalMessage()));
    }
  }

  private String text(ControllerState state) {
    try {
      return json.writeValueAsString(state);
    } catch (JsonProcessingException e) {
      throw new AssertionError("the state can be written", e);
    }
  }

  private static ApiError error(RuntimeException failure) {
    return switch (failure) {
      case ApiException known -> known.error();
      case DatabaseException database when database.away() ->
          ApiError.databaseAway(String.valueOf(database.getMessage()));
      default -> ApiError.broken(500, "internal_error", "the call failed; the log says why");
    };
  }
}
