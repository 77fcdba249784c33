package dev.weft.bench.load;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.locks.LockSupport;

/// An open load: requests are sent when they are due, by as many connections as it takes. A request
/// counts from when it was due, not from when it was sent, so that a server that stands still is
/// charged for all who would have come meanwhile.
public final class OpenLoop {
  private static final long LEAD_NANOS = 50_000_000;

  private OpenLoop() {}

  /// All in milliseconds, ascending.
  ///
  /// @param latency from due to the end of the answer
  /// @param lateness from due to sent: what is the generator's own, or comes of connections that
  ///   were all waiting
  @SuppressWarnings("ArrayRecordComponent")
  public record Times(double[] latency, double[] lateness) {}

  /// Sends `request` again and again; one failure fails the run. The connections take turns.
  ///
  /// @param listener hears every line of every answer, in the connections' threads
  public static Times run(
      int port,
      byte[] request,
      Schedule schedule,
      int connections,
      HttpConnection.Listener listener)
      throws IOException, InterruptedException {
    double[] latency = new double[schedule.requests()];
    double[] lateness = new double[schedule.requests()];
    List<HttpConnection> opened = new ArrayList<>();
    try (ExecutorService threads = Executors.newFixedThreadPool(connections)) {
      for (int i = 0; i < connections; i++) {
        opened.add(new HttpConnection(port));
      }
      long start = System.nanoTime() + LEAD_NANOS;
      List<Callable<Void>> clients = new ArrayList<>();
      for (int i = 0; i < connections; i++) {
        HttpConnection connection = opened.get(i);
        int first = i;
        clients.add(() -> {
          for (int at = first; at < schedule.requests(); at += connections) {
            long due = start + schedule.dueNanos(at);
            awaitNanos(due);
            lateness[at] = (System.nanoTime() - due) / 1e6;
            connection.send(request);
            connection.answer(listener);
            latency[at] = (System.nanoTime() - due) / 1e6;
          }
          return null;
        });
      }
      for (Future<Void> client : threads.invokeAll(clients)) {
        client.get();
      }
    } catch (ExecutionException e) {
      throw new IOException("a request failed: " + e.getMessage(), e);
    } finally {
      for (HttpConnection connection : opened) {
        connection.close();
      }
    }
    Arrays.sort(latency);
    Arrays.sort(lateness);
    return new Times(latency, lateness);
  }

  private static void awaitNanos(long due) {
    for (long left = due - System.nanoTime(); left > 0; left = due - System.nanoTime()) {
      LockSupport.parkNanos(left);
    }
  }
}
