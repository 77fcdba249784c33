package dev.weft.platform.http;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.Json;
import io.vertx.core.Handler;
import io.vertx.core.buffer.Buffer;
import io.vertx.ext.web.RoutingContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A route handler that may block: each request runs in a virtual thread of its own.
///
/// @param errors turns what the handler threw into an answer
public record BlockingHandler(Body body, Errors errors) implements Handler<RoutingContext> {
  private static final Logger LOG = LoggerFactory.getLogger(BlockingHandler.class);
  private static final ObjectMapper JSON = Json.mapper();

  /// What a route does.
  @FunctionalInterface
  public interface Body {
    Reply handle(RoutingContext context) throws InterruptedException;
  }

  /// What a failure is answered with.
  @FunctionalInterface
  public interface Errors {
    ApiError of(RuntimeException failure);
  }

  /// What a route answers.
  public sealed interface Reply {
    /// A record as JSON.
    record Of(int status, Object value) implements Reply {}

    /// 204.
    record Empty() implements Reply {}

    /// The handler has written the response itself.
    record Written() implements Reply {}
  }

  @Override
  public void handle(RoutingContext context) {
    Thread.ofVirtual().name("http-" + context.request().path()).start(() -> run(context));
  }

  private void run(RoutingContext context) {
    try {
      switch (body.handle(context)) {
        case Reply.Of(int status, var value) ->
            context
                .response()
                .setStatusCode(status)
                .putHeader("Content-Type", "application/json")
                .end(Buffer.buffer(JSON.writeValueAsBytes(value)));
        case Reply.Empty() -> context.response().setStatusCode(204).end();
        case Reply.Written() -> {}
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      ApiError.broken(500, "interrupted", "the platform is ending").send(context.response());
    } catch (JsonProcessingException e) {
      LOG.atError().setCause(e).log("an answer could not be written");
      ApiError.broken(500, "internal_error", "the answer could not be written")
          .send(context.response());
    } catch (RuntimeException e) {
      ApiError error = errors.of(e);
      // What is worth trying again has been said by whoever is away, and is asked for often.
      if (error.status() >= 500 && error.retryAfter() == null) {
        LOG.atError()
            .addKeyValue("path", context.request().path())
            .setCause(e)
            .log("a call failed");
      }
      if (context.response().headWritten()) {
        context.request().connection().close();
      } else {
        error.send(context.response());
      }
    }
  }
}
