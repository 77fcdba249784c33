package dev.weft.platform.gateway;

import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClientResponse;
import java.util.function.Consumer;

/// Gathers an answer that is no stream, within a bound, and tells one of three things once.
final class AnswerBody {
  private final Buffer body = Buffer.buffer();
  private boolean ended;

  private AnswerBody() {}

  static void gather(
      HttpClientResponse answer,
      long maxBytes,
      Consumer<Buffer> whole,
      Runnable tooLarge,
      Consumer<Throwable> broken) {
    AnswerBody gathered = new AnswerBody();
    answer.handler(chunk -> {
      gathered.body.appendBuffer(chunk);
      if (gathered.body.length() > maxBytes) {
        gathered.end(() -> {
          answer.request().reset();
          tooLarge.run();
        });
      }
    });
    answer.exceptionHandler(failure -> gathered.end(() -> broken.accept(failure)));
    answer.endHandler(_ -> gathered.end(() -> whole.accept(gathered.body)));
  }

  private void end(Runnable how) {
    if (!ended) {
      ended = true;
      how.run();
    }
  }
}
