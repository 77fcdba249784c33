package dev.weft.runtime.server;

import io.vertx.core.http.HttpMethod;
import java.util.Optional;

/// One entry of the route table.
///
/// @param path exact, or with one `{name}` as its last segment
public record Route(HttpMethod method, String path, Access access, Work work, Handler handler) {
  /// Who may call.
  public enum Access {
    /// Anyone; only for what tells nothing.
    OPEN,
    /// Who shows the secret.
    SECRET,
    /// Who knows a ticket, which stands in the path, or shows the secret.
    TICKET
  }

  /// Where the handler runs.
  public enum Work {
    /// On the event loop: returns at once.
    IMMEDIATE,
    /// On a request worker: computes, within bounds.
    COMPUTE,
    /// On a virtual thread: may block.
    BLOCKING
  }

  /// Answers a call, now or later; what it throws is answered for it.
  @FunctionalInterface
  public interface Handler {
    void handle(Call call);
  }

  /// The value of the `{name}` segment when `requested` is this route's path; an exact path's is
  /// empty text.
  Optional<String> match(String requested) {
    int brace = path.indexOf('{');
    if (brace < 0) {
      return path.equals(requested) ? Optional.of("") : Optional.empty();
    }
    String prefix = path.substring(0, brace);
    if (!requested.startsWith(prefix) || requested.length() == prefix.length()) {
      return Optional.empty();
    }
    String value = requested.substring(prefix.length());
    return value.indexOf('/') < 0 ? Optional.of(value) : Optional.empty();
  }
}
