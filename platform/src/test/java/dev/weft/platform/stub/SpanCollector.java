package dev.weft.platform.stub;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.quarkus.test.common.QuarkusTestResourceLifecycleManager;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Map;
import java.util.Objects;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/// A collector of spans, as much of one as tests need: takes OTLP's protocol buffers at
/// `/v1/traces` and gives what came, as JSON, at `/spans`. The platform of the test has two devices
/// and sends its spans here.
public final class SpanCollector implements QuarkusTestResourceLifecycleManager {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final ArrayNode spans = JSON.createArrayNode();
  private @Nullable HttpServer server;

  @Override
  public Map<String, String> start() {
    try {
      HttpServer opened =
          HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
      opened.createContext("/v1/traces", this::take);
      opened.createContext("/spans", this::give);
      opened.start();
      server = opened;
      return Map.of(
          "weft.telemetry.endpoint",
          "http://127.0.0.1:" + opened.getAddress().getPort(),
          "weft.runtime.cpus",
          "0;0");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void stop() {
    Objects.requireNonNull(server).stop(0);
  }

  private synchronized void take(HttpExchange exchange) throws IOException {
    byte[] request = exchange.getRequestBody().readAllBytes();
    each(
        request,
        (field, resource) -> {
          if (field == 1) {
            each(
                resource.bytes(),
                (inResource, scope) -> {
                  if (inResource == 2) {
                    each(
                        scope.bytes(),
                        (inScope, span) -> {
                          if (inScope == 2) {
                            spans.add(span(span.bytes()));
                          }
                        });
                  }
                });
          }
        });
    exchange.sendResponseHeaders(200, -1);
    exchange.close();
  }

  private synchronized void give(HttpExchange exchange) throws IOException {
    byte[] said = JSON.writeValueAsBytes(spans);
    exchange.sendResponseHeaders(200, said.length);
    exchange.getResponseBody().write(said);
    exchange.close();
  }

  private static ObjectNode span(byte[] bytes) {
    ObjectNode span = JSON.createObjectNode();
    ObjectNode attributes = span.putObject("attributes");
    ArrayNode events = span.putArray("events");
    each(
        bytes,
        (field, value) -> {
          switch (field) {
            case 1 -> span.put("trace", HexFormat.of().formatHex(value.bytes()));
            case 2 -> span.put("id", HexFormat.of().formatHex(value.bytes()));
            case 4 -> span.put("parent", HexFormat.of().formatHex(value.bytes()));
            case 5 -> span.put("name", value.text());
            case 9 -> attribute(value.bytes(), attributes);
            case 11 -> events.add(event(value.bytes()));
            default -> {}
          }
        });
    return span;
  }

  private static ObjectNode event(byte[] bytes) {
    ObjectNode event = JSON.createObjectNode();
    ObjectNode attributes = event.putObject("attributes");
    each(
        bytes,
        (field, value) -> {
          if (field == 2) {
            event.put("name", value.text());
          } else if (field == 3) {
            attribute(value.bytes(), attributes);
          }
        });
    return event;
  }

  private static void attribute(byte[] bytes, ObjectNode attributes) {
    String[] key = new String[1];
    each(
        bytes,
        (field, value) -> {
          if (field == 1) {
            key[0] = value.text();
          } else {
            each(
                value.bytes(),
                (kind, held) -> {
                  switch (kind) {
                    case 1 -> attributes.put(key[0], held.text());
                    case 3 -> attributes.put(key[0], held.number());
                    case 4 -> attributes.put(key[0], Double.longBitsToDouble(held.number()));
                    default -> throw new IllegalStateException("a value of kind " + kind);
                  }
                });
          }
        });
  }

  /// A field's value: a number, or bytes.
  @SuppressWarnings("ArrayRecordComponent")
  private record Value(long number, byte[] bytes) {
    String text() {
      return new String(bytes, StandardCharsets.UTF_8);
    }
  }

  /// Reads a message of protocol buffers.
  private static void each(byte[] message, BiConsumer<Integer, Value> field) {
    ByteBuffer in = ByteBuffer.wrap(message).order(ByteOrder.LITTLE_ENDIAN);
    while (in.hasRemaining()) {
      long tag = varint(in);
      Value value =
          switch ((int) (tag & 7)) {
            case 0 -> new Value(varint(in), new byte[0]);
            case 1 -> new Value(in.getLong(), new byte[0]);
            case 2 -> {
              byte[] bytes = new byte[(int) varint(in)];
              in.get(bytes);
              yield new Value(0, bytes);
            }
            case 5 -> new Value(in.getInt(), new byte[0]);
            default -> throw new IllegalStateException("tag " + tag);
          };
      field.accept((int) (tag >>> 3), value);
    }
  }

  private static long varint(ByteBuffer in) {
    long value = 0;
    for (int shift = 0; ; shift += 7) {
      byte next = in.get();
      value |= (next & 0x7FL) << shift;
      if (next >= 0) {
        return value;
      }
    }
  }
}
