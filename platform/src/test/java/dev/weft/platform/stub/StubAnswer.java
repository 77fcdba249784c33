package dev.weft.platform.stub;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.functions.instance.ControlApi;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import java.io.IOException;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;

/// Answers inference requests. The last message (or the prompt) says how: `words 5` gives five
/// tokens, `words 5 every 100` one each 100 ms, `clock 5 every 100` too, each of which is the time
/// at which it was made, `die 3` ends the process after three, `cut 3` closes the connection after
/// three, `snap 6` does so once, in the middle of its fourth frame, `moved 6` has its model
/// unloaded once after three tokens, `busy` is refused with 429, `late 3` is refused by who asks to
/// be in time, anything else is echoed as one token a word. Who asks for times gets [#TIMES].
final class StubAnswer {
  /// Where the time of every answer went.
  static final String TIMES = "queue=0.250000 prefill=0.500000 decode=1.500000";

  private static final ObjectMapper JSON = new ObjectMapper();

  private final StubRuntime runtime;

  StubAnswer(StubRuntime runtime) {
    this.runtime = runtime;
  }

  private record Script(String verb, List<String> tokens, long pauseMillis) {
    static Script of(String text) {
      List<String> words = List.of(text.split(" ", -1));
      boolean counted = words.size() > 1 && words.get(1).matches("\\d+");
      if (!counted) {
        return new Script(words.getFirst(), words, 0);
      }
      List<String> tokens =
          IntStream.range(0, Integer.parseInt(words.get(1))).mapToObj(i -> "w" + i).toList();
      return new Script(
          words.getFirst(), tokens, words.size() > 3 ? Long.parseLong(words.get(3)) : 0);
    }
  }

  /// @param told tokens whose text the caller has already
  record Asked(HttpServerRequest request, String path, Buffer body, int told) {}

  void answer(Asked asked, String function, Runnable done) throws IOException {
    HttpServerRequest request = asked.request();
    JsonNode json = JSON.readTree(asked.body().getBytes());
    HttpServerResponse response = request.response();
    if ("/v1/embeddings".equals(asked.path())) {
      embed(json, function, response);
      done.run();
      return;
    }
    boolean chat = json.has("messages");
    JsonNode messages = json.path("messages");
    Script script =
        Script.of(
            chat
                ? messages.path(messages.size() - 1).path("content").asText()
                : json.path("prompt").asText());
    if (script.verb().equals("busy")) {
      error(response, 429, "queue_full");
      done.run();
      return;
    }
    if (script.verb().equals("late")
        && ControlApi.ADMISSION_IN_TIME.equals(request.getHeader(ControlApi.ADMISSION_HEADER))) {
      error(response, 429, "not_in_time_prompts");
      done.run();
      return;
    }
    boolean[] over = new boolean[1];
    Runnable once =
        () -> {
          if (!over[0]) {
            over[0] = true;
            done.run();
          }
        };
    response.closeHandler(_ -> {
      if (!over[0]) {
        runtime.countCancelled();
      }
      once.run();
    });
    if (json.path("stream").asBoolean()) {
      response.setChunked(true).putHeader("Content-Type", "text/event-stream; charset=utf-8");
      Streamed streamed =
          new Streamed(request, response, function, chat, script, usageAsked(json), once);
      streamed.begin(asked.told());
    } else {
      whole(request, response, function, chat, script, once);
    }
  }

  private static boolean usageAsked(JsonNode json) {
    return json.path("stream_options").path("include_usage").asBoolean();
  }

  private static boolean timesAsked(HttpServerRequest request) {
    return "1".equals(request.getHeader(ControlApi.TIMES_HEADER));
  }

  private void whole(
      HttpServerRequest request,
      HttpServerResponse response,
      String function,
      boolean chat,
      Script script,
      Runnable done) {
    if (script.verb().equals("die")) {
      Runtime.getRuntime().halt(137);
    }
    long millis = Math.max(1, script.pauseMillis() * script.tokens().size());
    runtime
        .vertx()
        .setTimer(
            millis,
            _ -> {
              ObjectNode choice = JSON.createObjectNode();
              choice.put("index", 0);
              choice.putNull("logprobs");
              String text = String.join(" ", script.tokens());
              if (chat) {
                ObjectNode message = choice.putObject("message");
                message.put("role", "assistant");
                message.put("content", text);
                message.putNull("refusal");
              } else {
                choice.put("text", text);
              }
              choice.put("finish_reason", "stop");
              ObjectNode answer =
                  head(request, function, chat ? "chat.completion" : "text_completion");
              answer.putArray("choices").add(choice);
              answer.set("usage", usage(script));
              done.run();
              if (timesAsked(request)) {
                response.putHeader(ControlApi.TIMES_HEADER, TIMES);
              }
              response.putHeader("Content-Type", "application/json").end(answer.toString());
            });
  }

  private final class Streamed {
    private final HttpServerRequest request;
    private final HttpServerResponse response;
    private final String function;
    private final boolean chat;
    private final Script script;
    private final boolean usageAsked;
    private final Runnable done;
    private int index;
    private int start;

    /// When the next frame is, in nanoseconds.
    private long due = System.nanoTime();

    Streamed(
        HttpServerRequest request,
        HttpServerResponse response,
        String function,
        boolean chat,
        Script script,
        boolean usageAsked,
        Runnable done) {
      this.request = request;
      this.response = response;
      this.function = function;
      this.chat = chat;
      this.script = script;
      this.usageAsked = usageAsked;
      this.done = done;
    }

    void begin(int told) {
      index = told;
      start = told;
      if (told > 0 && script.verb().equals("moved")) {
        response.write(": kv the stub computes them again\n");
      }
      next();
    }

    void next() {
      if (response.closed()) {
        return;
      }
      if (index == script.tokens().size() / 2 && start == 0 && index > 0) {
        if (script.verb().equals("snap")) {
          done.run();
          // In the middle of a frame.
          response.write(": t 9\ndata: {\"choices\":[{\"index\":0,");
          runtime.vertx().setTimer(50, _ -> request.connection().close());
          return;
        }
        if (script.verb().equals("moved")) {
          done.run();
          response.end(
              ": kv kept 0 0a1b 9\ndata: {\"error\":{\"message\":\"gone\",\"code\":\"model_unloaded\"}}\n\n");
          return;
        }
      }
      if (index == script.tokens().size()) {
        end();
        return;
      }
      String token =
          script.verb().equals("clock")
              ? Long.toString(System.nanoTime())
              : script.tokens().get(index);
      String text = (index == 0 ? "" : " ") + token;
      ObjectNode choice = JSON.createObjectNode();
      choice.put("index", 0);
      if (chat) {
        ObjectNode delta = choice.putObject("delta");
        if (index == 0) {
          delta.put("role", "assistant");
        }
        delta.put("content", text);
      } else {
        choice.put("text", text);
      }
      choice.putNull("finish_reason");
      frame(": t " + (100 + index) + "\n", chunk(choice));
      index++;
      if (script.pauseMillis() > 0) {
        runtime.vertx().setTimer(millisToNext(), _ -> next());
      } else {
        runtime.vertx().runOnContext(_ -> next());
      }
    }

    /// Frames that are late do not delay those after them: what streams send together because they
    /// were late, they would send together ever after.
    private long millisToNext() {
      due += script.pauseMillis() * 1_000_000;
      return Math.max(1, Math.ceilDiv(due - System.nanoTime(), 1_000_000));
    }

    private void end() {
      if (script.verb().equals("die")) {
        // The last frame has to be on its way first.
        runtime.vertx().setTimer(50, _ -> Runtime.getRuntime().halt(137));
        return;
      }
      if (script.verb().equals("cut")) {
        done.run();
        runtime.vertx().setTimer(50, _ -> request.connection().close());
        return;
      }
      ObjectNode choice = JSON.createObjectNode();
      choice.put("index", 0);
      if (chat) {
        choice.putObject("delta");
      } else {
        choice.put("text", "");
      }
      choice.put("finish_reason", "stop");
      frame(": t end " + script.tokens().size() + "\n", chunk(choice));
      ObjectNode last = head(request, function, object());
      last.putArray("choices");
      last.set("usage", usage(script));
      frame(timesAsked(request) ? ": times " + TIMES + "\n" : "", last);
      done.run();
      response.end("data: [DONE]\n\n");
    }

    private String object() {
      return chat ? "chat.completion.chunk" : "text_completion";
    }

    private ObjectNode chunk(ObjectNode choice) {
      ObjectNode chunk = head(request, function, object());
      chunk.putArray("choices").add(choice);
      if (usageAsked) {
        chunk.putNull("usage");
      }
      return chunk;
    }

    private void frame(String comment, ObjectNode json) {
      response.write(comment + "data: " + json + "\n\n");
    }
  }

  private static ObjectNode head(HttpServerRequest request, String function, String object) {
    ObjectNode head = JSON.createObjectNode();
    head.put("id", request.getHeader(ControlApi.RESPONSE_ID_HEADER));
    head.put("object", object);
    head.put(
        "created",
        Long.parseLong(Objects.requireNonNull(request.getHeader(ControlApi.CREATED_HEADER))));
    head.put("model", function);
    return head;
  }

  private static ObjectNode usage(Script script) {
    ObjectNode usage = JSON.createObjectNode();
    usage.put("prompt_tokens", 7);
    usage.put("completion_tokens", script.tokens().size());
    usage.put("total_tokens", 7 + script.tokens().size());
    return usage;
  }

  private static void embed(JsonNode json, String function, HttpServerResponse response) {
    ObjectNode answer = JSON.createObjectNode();
    answer.put("object", "list");
    answer.put("model", function);
    ArrayNode data = answer.putArray("data");
    int count = json.path("input").isArray() ? json.path("input").size() : 1;
    for (int i = 0; i < count; i++) {
      ObjectNode item = data.addObject();
      item.put("object", "embedding");
      item.put("index", i);
      item.putArray("embedding").add(0.6).add(0.8);
    }
    ObjectNode usage = answer.putObject("usage");
    usage.put("prompt_tokens", 3);
    usage.put("total_tokens", 3);
    response.putHeader("Content-Type", "application/json").end(answer.toString());
  }

  void error(HttpServerResponse response, int status, String code) {
    ObjectNode error = JSON.createObjectNode();
    error
        .putObject("error")
        .put("message", "the stub says " + code)
        .put("type", "server_error")
        .putNull("param")
        .put("code", code);
    response
        .setStatusCode(status)
        .putHeader("Content-Type", "application/json")
        .end(error.toString());
  }
}
