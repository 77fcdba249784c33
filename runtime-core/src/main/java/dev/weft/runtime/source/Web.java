package dev.weft.runtime.source;

import dev.weft.runtime.source.Addresses.Reach;
import dev.weft.runtime.source.SourceException.Code;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// HTTP requests to places that are not trusted: addresses are checked before each connection,
/// redirects are followed by hand under the same rules, and a credential goes to the host it is for
/// and to no other.
final class Web {
  private static final int POLL_MILLIS = 100;

  private final Duration connectTimeout;
  private final Duration answerTimeout;
  private final Supplier<HttpClient> client;

  Web(Duration connectTimeout, Duration answerTimeout) {
    this.connectTimeout = connectTimeout;
    this.answerTimeout = answerTimeout;
    this.client = lazy();
  }

  /// What a request may do.
  ///
  /// @param credential for the host of the request's own address
  record Rules(int maxRedirects, Reach reach, Credential credential) {
    @Override
    public String toString() {
      return "Rules[maxRedirects=%d, reach=%s]".formatted(maxRedirects, reach);
    }
  }

  /// What tells a host who asks.
  @FunctionalInterface
  interface Credential {
    Credential NONE = _ -> Map.of();

    /// The headers for a GET of `address`.
    Map<String, String> headers(URI address);

    static Credential bearer(String token) {
      return _ -> Map.of("authorization", "Bearer " + token);
    }
  }

  /// An answer, its body not yet read; the caller closes it.
  ///
  /// @param first the headers of the answer before any redirect
  record Answer(HttpHeaders first, HttpResponse<InputStream> last) implements AutoCloseable {
    int status() {
      return last.statusCode();
    }

    Optional<String> header(String name) {
      return last.headers().firstValue(name);
    }

    @Override
    public void close() {
      try {
        last.body().close();
      } catch (IOException e) {
        // Nobody reads it any more, so it cannot matter.
      }
    }
  }

  /// Sends a GET and follows redirects as the rules allow. Every status but a redirect's is an
  /// answer.
  Answer get(URI address, Map<String, String> headers, Rules rules, Transfer transfer) {
    URI at = address;
    @Nullable HttpHeaders first = null;
    for (int redirects = 0; ; redirects++) {
      HttpResponse<InputStream> response = send(at, address, headers, rules, transfer);
      first = first == null ? response.headers() : first;
      Answer answer = new Answer(first, response);
      Optional<String> location = response.headers().firstValue("location");
      if (!isRedirect(response.statusCode()) || location.isEmpty()) {
        return answer;
      }
      answer.close();
      if (redirects == rules.maxRedirects()) {
        throw new SourceException(
            Code.REFUSED,
            rules.maxRedirects() == 0
                ? "it redirects to another address, which is not followed; name that address"
                : "more than %d redirects".formatted(rules.maxRedirects()));
      }
      URI next = resolve(at, location.get());
      if ("https".equalsIgnoreCase(at.getScheme()) && !"https".equalsIgnoreCase(next.getScheme())) {
        throw new SourceException(Code.REFUSED, "it redirects from https: to " + next.getScheme());
      }
      at = next;
    }
  }

  private HttpResponse<InputStream> send(
      URI at, URI origin, Map<String, String> headers, Rules rules, Transfer transfer) {
    Addresses.check(at, rules.reach(), connectTimeout);
    HttpRequest.Builder request = HttpRequest.newBuilder(at).header("user-agent", "weft");
    headers.forEach(request::header);
    if (sameOrigin(at, origin)) {
      authorise(request, rules.credential().headers(at), at);
    }
    // The request's own time-out would end the body too, on later JDKs.
    long deadline = System.nanoTime() + answerTimeout.toNanos();
    CompletableFuture<HttpResponse<InputStream>> response =
        client.get().sendAsync(request.build(), BodyHandlers.ofInputStream());
    try {
      while (true) {
        try {
          return response.get(POLL_MILLIS, TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
          transfer.check();
          if (System.nanoTime() > deadline) {
            throw new SourceException(
                Code.UNREACHABLE,
                "%s does not answer for %d s".formatted(at.getHost(), answerTimeout.toSeconds()),
                e);
          }
        }
      }
    } catch (ExecutionException e) {
      String host = at.getHost();
      String reason = String.valueOf(e.getCause()).replaceFirst("^[\\w.$]*\\.", "");
      throw new SourceException(
          Code.UNREACHABLE, "%s cannot be reached (%s)".formatted(host, reason), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new SourceException(Code.CANCELLED, "cancelled", e);
    } finally {
      response.cancel(true); // once it is complete this does nothing
    }
  }

  @SuppressWarnings("UnusedException") // its text quotes the credential
  private static void authorise(
      HttpRequest.Builder request, Map<String, String> headers, URI address) {
    try {
      headers.forEach(request::header);
    } catch (IllegalArgumentException e) {
      throw new SourceException(
          Code.UNUSABLE,
          "the credential for %s has characters that cannot be sent".formatted(address.getHost()));
    }
  }

  /// The failure that a status other than success stands for.
  static SourceException failure(int status, String what) {
    return switch (status) {
      case 401, 403 ->
          new SourceException(
              Code.UNAUTHORISED, "%s: the server refuses access (HTTP %d)".formatted(what, status));
      case 404, 410 ->
          new SourceException(
              Code.NOT_FOUND, "%s: the server has no such file (HTTP %d)".formatted(what, status));
      default ->
          new SourceException(
              status == 408 || status == 429 || status >= 500 ? Code.UNREACHABLE : Code.UNUSABLE,
              "%s: the server answers HTTP %d".formatted(what, status));
    };
  }

  static boolean sameOrigin(URI one, URI other) {
    return String.valueOf(one.getScheme()).equalsIgnoreCase(other.getScheme())
        && String.valueOf(one.getHost()).equalsIgnoreCase(other.getHost())
        && port(one) == port(other);
  }

  private static int port(URI address) {
    int https = "https".equalsIgnoreCase(address.getScheme()) ? 443 : 80;
    return address.getPort() < 0 ? https : address.getPort();
  }

  private static boolean isRedirect(int status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
  }

  private static URI resolve(URI at, String location) {
    try {
      return at.resolve(location);
    } catch (IllegalArgumentException e) {
      throw new SourceException(Code.UNUSABLE, "it redirects to something that is no address", e);
    }
  }

  /// The client has threads of its own: a process that fetches nothing has none. HTTP/1.1, since a
  /// model is one long stream and its flow control is then the socket's.
  private Supplier<HttpClient> lazy() {
    return new Supplier<>() {
      private @Nullable HttpClient made;

      @Override
      public synchronized HttpClient get() {
        if (made == null) {
          made =
              HttpClient.newBuilder()
                  .version(HttpClient.Version.HTTP_1_1)
                  .connectTimeout(connectTimeout)
                  .followRedirects(HttpClient.Redirect.NEVER)
                  .build();
        }
        return made;
      }
    };
  }
}
