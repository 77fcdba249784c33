package dev.weft.runtime.server;

import dev.weft.runtime.server.openai.ApiError;
import dev.weft.runtime.server.openai.ApiError.Category;
import dev.weft.runtime.server.openai.ApiException;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerRequest;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/// Finds the route of a request, after the secret has been checked: who does not know it does not
/// learn which paths there are.
final class Router {
  private static final String BEARER = "Bearer ";

  private final Vertx vertx;
  private final ServerSettings settings;
  private final Workers workers;
  private final List<Route> routes;
  private final Predicate<String> tickets;
  private final byte[] secret;

  /// @param tickets whether a path's `{ticket}` is one
  Router(
      Vertx vertx,
      ServerSettings settings,
      Workers workers,
      List<Route> routes,
      Predicate<String> tickets) {
    this.vertx = vertx;
    this.settings = settings;
    this.workers = workers;
    this.routes = List.copyOf(routes);
    this.tickets = tickets;
    this.secret = settings.secret().getBytes(StandardCharsets.UTF_8);
  }

  List<Route> routes() {
    return routes;
  }

  /// Handles a request, on its event loop.
  void handle(HttpServerRequest request) {
    Context context = vertx.getOrCreateContext();
    Call call = new Call(vertx, context, request);
    try {
      Match match = find(call);
      if (match.route().method().equals(HttpMethod.POST)) {
        RequestBody.read(
            vertx, settings, request, body -> dispatch(match, call.with(body)), call::fail);
      } else {
        dispatch(match, call);
      }
    } catch (RuntimeException e) {
      call.fail(e);
    }
  }

  private record Match(Route route, String segment) {}

  private Match find(Call call) {
    Optional<Match> found = Optional.empty();
    List<Match> samePath =
        routes.stream()
            .flatMap(route ->
                route.match(call.path()).map(segment -> new Match(route, segment)).stream())
            .toList();
    for (Match match : samePath) {
      if (match.route().method().equals(call.method())) {
        found = Optional.of(match);
      }
    }
    if (!found.map(this::open).orElse(false)) {
      authenticate(call);
    }
    return found.orElseThrow(() -> samePath.isEmpty() ? notFound() : wrongMethod(call, samePath));
  }

  private boolean open(Match match) {
    return switch (match.route().access()) {
      case OPEN -> true;
      case SECRET -> false;
      case TICKET -> tickets.test(match.segment());
    };
  }

  private void authenticate(Call call) {
    Optional<String> header = call.header(HttpHeaders.AUTHORIZATION.toString());
    if (header.isEmpty()) {
      throw new ApiException(
          ApiError.of(
              Category.UNAUTHENTICATED,
              "You didn't provide an API key. Send it in an Authorization header: 'Authorization:"
                  + " Bearer KEY'.",
              null,
              null));
    }
    boolean bearer = header.get().regionMatches(true, 0, BEARER, 0, BEARER.length());
    byte[] shown =
        bearer
            ? header.get().substring(BEARER.length()).trim().getBytes(StandardCharsets.UTF_8)
            : new byte[0];
    // In time that does not depend on how much of it is right.
    if (!MessageDigest.isEqual(secret, shown)) {
      throw new ApiException(
          ApiError.of(
              Category.UNAUTHENTICATED, "Incorrect API key provided.", null, "invalid_api_key"));
    }
  }

  private void dispatch(Match match, Call call) {
    Call bound = call.at(match.segment());
    try {
      switch (match.route().work()) {
        case IMMEDIATE -> run(match.route(), bound);
        case COMPUTE -> workers.compute(() -> run(match.route(), bound));
        case BLOCKING -> workers.block(() -> run(match.route(), bound));
      }
    } catch (RejectedExecutionException e) {
      call.fail(ErrorMapping.tooManyRequests());
    }
  }

  private static void run(Route route, Call call) {
    try {
      route.handler().handle(call);
    } catch (RuntimeException | Error e) {
      call.fail(e);
    }
  }

  private static ApiException notFound() {
    return new ApiException(
        ApiError.of(Category.NOT_FOUND, "There is nothing at this path.", null, "unknown_url"));
  }

  private static ApiException wrongMethod(Call call, List<Match> samePath) {
    String allowed =
        samePath.stream()
            .map(match -> match.route().method().name())
            .sorted()
            .collect(Collectors.joining(", "));
    call.putHeader(HttpHeaders.ALLOW.toString(), allowed);
    return new ApiException(
        ApiError.of(
            Category.METHOD_NOT_ALLOWED,
            "This path takes %s.".formatted(allowed),
            null,
            "method_not_allowed"));
  }
}
