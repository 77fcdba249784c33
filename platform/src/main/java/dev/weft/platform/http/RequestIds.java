package dev.weft.platform.http;

import io.quarkus.vertx.http.runtime.filters.Filters;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.util.HexFormat;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Pattern;

/// Gives every answer an `x-request-id`, refusals included: the caller's own when it sent a sound
/// one, so that logs on both sides can be held together.
@Singleton
public final class RequestIds {
  private static final String HEADER = "x-request-id";
  private static final Pattern SOUND = Pattern.compile("[-\\w.]{1,64}");

  /// Before [Authentication], whose refusals have one too.
  private static final int FIRST = 20_000;

  void register(@Observes Filters filters) {
    filters.register(RequestIds::name, FIRST);
  }

  /// The id of the request.
  public static String of(RoutingContext context) {
    String id = context.response().headers().get(HEADER);
    if (id == null) {
      throw new IllegalStateException("no id on " + context.request().path());
    }
    return id;
  }

  private static void name(RoutingContext context) {
    String asked = context.request().getHeader(HEADER);
    context
        .response()
        .putHeader(
            HEADER, asked != null && SOUND.matcher(asked).matches() ? asked : random("req_"));
    context.next();
  }

  /// `prefix` and 128 random bits, which make an id and keep no secret.
  public static String random(String prefix) {
    ThreadLocalRandom random = ThreadLocalRandom.current();
    HexFormat hex = HexFormat.of();
    return prefix + hex.toHexDigits(random.nextLong()) + hex.toHexDigits(random.nextLong());
  }
}
