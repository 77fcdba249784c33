package dev.weft.bench.load;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.Locale;

/// A kept connection, as cheap as can be: what the load generator takes of the processors is not
/// there for what it measures. Any answer but 200 is an error.
public final class HttpConnection implements AutoCloseable {
  private static final int TIMEOUT_MILLIS = 30_000;

  private final Socket socket = new Socket();
  private final InputStream in;

  public HttpConnection(int port) throws IOException {
    socket.setTcpNoDelay(true);
    socket.setSoTimeout(TIMEOUT_MILLIS);
    socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), TIMEOUT_MILLIS);
    in = new BufferedInputStream(socket.getInputStream());
  }

  /// Hears the lines of a body.
  public interface Listener {
    /// @param nanos when the line's end had come, by [System#nanoTime]
    void onLine(String line, long nanos);
  }

  public void send(byte[] request) throws IOException {
    socket.getOutputStream().write(request);
  }

  /// Reads one answer to its end.
  public void answer(Listener listener) throws IOException {
    String status = line();
    int length = 0;
    boolean chunked = false;
    for (String header = line(); !header.isEmpty(); header = line()) {
      int colon = header.indexOf(':');
      String name = header.substring(0, colon).toLowerCase(Locale.ROOT);
      String value = header.substring(colon + 1).strip();
      switch (name) {
        case "content-length" -> length = Integer.parseInt(value);
        case "transfer-encoding" -> chunked = value.equals("chunked");
        default -> {}
      }
    }
    Lines lines = new Lines(listener);
    if (chunked) {
      for (int size = chunkSize(); size > 0; size = chunkSize()) {
        lines.accept(bytes(size));
        line();
      }
      line();
    } else {
      lines.accept(bytes(length));
    }
    lines.end();
    if (!status.startsWith("HTTP/1.1 200")) {
      throw new IOException("port %d answers '%s'".formatted(socket.getPort(), status));
    }
  }

  private int chunkSize() throws IOException {
    return Integer.parseInt(line(), 16);
  }

  private byte[] bytes(int count) throws IOException {
    byte[] bytes = in.readNBytes(count);
    if (bytes.length < count) {
      throw new EOFException("the answer is cut");
    }
    return bytes;
  }

  private String line() throws IOException {
    StringBuilder line = new StringBuilder();
    for (int next = in.read(); next != '\n'; next = in.read()) {
      if (next < 0) {
        throw new EOFException("the connection was closed");
      }
      line.append((char) next);
    }
    return line.toString().strip();
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }

  /// Takes lines apart, however they are cut.
  private static final class Lines {
    private final Listener listener;
    private final ByteArrayOutputStream line = new ByteArrayOutputStream();

    Lines(Listener listener) {
      this.listener = listener;
    }

    void accept(byte[] bytes) {
      long now = System.nanoTime();
      int start = 0;
      for (int i = 0; i < bytes.length; i++) {
        if (bytes[i] == '\n') {
          line.write(bytes, start, i - start);
          listener.onLine(line.toString(UTF_8), now);
          line.reset();
          start = i + 1;
        }
      }
      line.write(bytes, start, bytes.length - start);
    }

    void end() {
      if (line.size() > 0) {
        listener.onLine(line.toString(UTF_8), System.nanoTime());
      }
    }
  }
}
