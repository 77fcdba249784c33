package dev.weft.runtime.server;

import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpHeaders;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/// The body of an answer that is written piece by piece, on a thread that may wait for its reader.
/// Closing ends the answer well.
final class ResponseBody extends OutputStream {
  private static final int PIECE_BYTES = 256 << 10;

  /// A reader that takes nothing for so long is gone.
  private static final int PATIENCE_SECONDS = 5;

  private final Call call;
  private final String contentType;
  private Buffer piece = Buffer.buffer(PIECE_BYTES);
  private CompletableFuture<Void> written = CompletableFuture.completedFuture(null);
  private long bytes;
  private boolean begun;

  ResponseBody(Call call, String contentType) {
    this.call = call;
    this.contentType = contentType;
  }

  /// Bytes written so far.
  long bytes() {
    return bytes;
  }

  /// Whether anything has been sent, the head included.
  boolean begun() {
    return begun;
  }

  @Override
  public void write(int value) throws IOException {
    write(new byte[] {(byte) value});
  }

  @Override
  public void write(byte[] from, int offset, int length) throws IOException {
    piece.appendBytes(from, offset, length);
    bytes += length;
    if (piece.length() >= PIECE_BYTES) {
      send();
    }
  }

  /// Sends a piece once the one before has gone out.
  private void send() throws IOException {
    awaitWritten();
    Buffer full = piece;
    piece = Buffer.buffer(PIECE_BYTES);
    boolean first = !begun;
    begun = true;
    var done = new CompletableFuture<Void>();
    written = done;
    call.onContext(() -> {
      if (first) {
        call.response().setChunked(true).putHeader(HttpHeaders.CONTENT_TYPE, contentType);
      }
      call.response()
          .write(full)
          .onComplete(_ -> done.complete(null), failure -> done.completeExceptionally(failure));
    });
  }

  private void awaitWritten() throws IOException {
    try {
      written.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      throw new IOException("the reader has gone", e.getCause());
    } catch (TimeoutException e) {
      throw new IOException("the reader takes nothing", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted");
    }
  }

  @Override
  public void close() throws IOException {
    if (piece.length() > 0 || !begun) {
      send();
    }
    awaitWritten();
    call.complete();
    call.onContext(() -> call.response().end());
  }

  /// Breaks the answer off, so that its reader notices.
  void abort() {
    call.onContext(() -> call.response().reset());
  }
}
