package dev.weft.platform.console;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.WebSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// A headless Chromium with one page, driven by its DevTools protocol.
final class Browser implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final List<String> NAMES =
      List.of("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome");
  private static final int TIMEOUT_SECONDS = 30;

  private final Process process;
  private final WebSocket socket;
  private final AtomicInteger numbers = new AtomicInteger();
  private final Map<Integer, BlockingQueue<JsonNode>> answers = new ConcurrentHashMap<>();

  /// What the page complained of: uncaught errors, refused resources.
  private final List<String> complaints = java.util.Collections.synchronizedList(new ArrayList<>());

  private Browser(Process process, URI page) {
    this.process = process;
    socket =
        HttpClient.newHttpClient().newWebSocketBuilder().buildAsync(page, new Messages()).join();
    for (String domain : List.of("Page", "Runtime", "Log")) {
      call(domain + ".enable", Map.of());
    }
  }

  /// Where a Chromium lies on this machine.
  static Optional<Path> find() {
    return Stream.of(System.getenv("PATH").split(File.pathSeparator))
        .flatMap(directory -> NAMES.stream().map(name -> Path.of(directory, name)))
        .filter(Files::isExecutable)
        .findFirst();
  }

  static Browser start(Path executable, Path profile) throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(
                executable.toString(),
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--remote-debugging-port=0",
                "--user-data-dir=" + profile,
                "about:blank")
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    try (BufferedReader lines = process.errorReader()) {
      String mark = "DevTools listening on ws://";
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        if (line.startsWith(mark)) {
          String host = line.substring(mark.length()).split("/", 2)[0];
          return new Browser(process, page(host));
        }
      }
    }
    throw new IOException(executable + " ended with " + process.waitFor());
  }

  private static URI page(String host) throws IOException, InterruptedException {
    HttpRequest request = HttpRequest.newBuilder(URI.create("http://" + host + "/json")).build();
    String list = HttpClient.newHttpClient().send(request, BodyHandlers.ofString()).body();
    for (JsonNode target : JSON.readTree(list)) {
      if (target.path("type").asText().equals("page")) {
        return URI.create(target.path("webSocketDebuggerUrl").asText());
      }
    }
    throw new IOException("no page in " + list);
  }

  void open(URI address) {
    call("Page.navigate", Map.of("url", address.toString()));
    await("document.readyState === 'complete' && location.href === '%s'".formatted(address));
  }

  void width(int pixels) {
    call(
        "Emulation.setDeviceMetricsOverride",
        Map.of("width", pixels, "height", 800, "deviceScaleFactor", 1, "mobile", false));
  }

  /// `light` or `dark`.
  void scheme(String scheme) {
    call(
        "Emulation.setEmulatedMedia",
        Map.of("features", List.of(Map.of("name", "prefers-color-scheme", "value", scheme))));
  }

  void type(String text) {
    call("Input.insertText", Map.of("text", text));
  }

  /// A key of the keyboard, such as `Tab` or `Enter`.
  void press(String key, int code) {
    String text = key.equals("Enter") ? "\r" : "";
    for (String type : List.of("keyDown", "keyUp")) {
      call(
          "Input.dispatchKeyEvent",
          Map.of(
              "type", type, "key", key, "code", key, "windowsVirtualKeyCode", code, "text", text));
    }
  }

  /// What an expression comes to, as JSON.
  JsonNode evaluate(String expression) {
    JsonNode result =
        call("Runtime.evaluate", Map.of("expression", expression, "returnByValue", true));
    if (result.has("exceptionDetails")) {
      throw new AssertionError(expression + ": " + result.path("exceptionDetails"));
    }
    return result.at("/result/value");
  }

  String text(String selector) {
    return evaluate("document.querySelector('%s').innerText".formatted(selector)).asText();
  }

  /// Waits until an expression is true in the page.
  void await(String expression) {
    dev.weft.platform.stub.PlatformClient.await(() -> evaluate(expression).asBoolean());
  }

  List<String> complaints() {
    return List.copyOf(complaints);
  }

  private JsonNode call(String method, Map<String, ?> parameters) {
    int number = numbers.incrementAndGet();
    BlockingQueue<JsonNode> answer = new LinkedBlockingQueue<>();
    answers.put(number, answer);
    ObjectNode message = JSON.createObjectNode().put("id", number).put("method", method);
    message.set("params", JSON.valueToTree(parameters));
    socket.sendText(message.toString(), true).join();
    try {
      JsonNode got = answer.poll(TIMEOUT_SECONDS, TimeUnit.SECONDS);
      if (got == null || got.has("error")) {
        throw new AssertionError(method + ": " + got);
      }
      return got.path("result");
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(method, e);
    } finally {
      answers.remove(number);
    }
  }

  /// What was started may be a script, whose end the browser outlives.
  @Override
  public void close() {
    socket.abort();
    List<ProcessHandle> all =
        Stream.concat(process.descendants(), Stream.of(process.toHandle())).toList();
    all.forEach(ProcessHandle::destroyForcibly);
    all.forEach(each -> each.onExit().orTimeout(TIMEOUT_SECONDS, TimeUnit.SECONDS).join());
  }

  private final class Messages implements WebSocket.Listener {
    private final StringBuilder text = new StringBuilder();

    @Override
    public @Nullable CompletionStage<?> onText(
        WebSocket webSocket, CharSequence data, boolean last) {
      text.append(data);
      if (last) {
        take(text.toString());
        text.setLength(0);
      }
      webSocket.request(1);
      return null;
    }

    private void take(String message) {
      try {
        JsonNode read = JSON.readTree(message);
        BlockingQueue<JsonNode> answer = answers.get(read.path("id").asInt());
        if (answer != null) {
          answer.add(read);
        }
        String method = read.path("method").asText();
        boolean failed =
            method.equals("Log.entryAdded")
                && read.at("/params/entry/level").asText().equals("error");
        if (failed || method.equals("Runtime.exceptionThrown")) {
          complaints.add(read.path("params").toString());
        }
      } catch (IOException e) {
        throw new AssertionError(message, e);
      }
    }
  }
}
