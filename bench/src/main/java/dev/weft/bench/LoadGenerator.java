package dev.weft.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;

/// Loads an OpenAI-compatible server with streamed completions: a number of clients, each sending
/// its next request when the last is answered. Prompts are token ids, so that every server does the
/// same work, and no two of a run begin alike, so that no prefix cache helps.
public final class LoadGenerator {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Duration REQUEST_TIMEOUT = Duration.ofMinutes(5);

  /// A server to load.
  ///
  /// @param extra members that its requests need beside OpenAI's
  public record Target(URI base, String model, String key, Map<String, Object> extra) {
    public Target {
      extra = Map.copyOf(extra);
    }

    @Override
    public String toString() {
      return "Target[%s, model %s]".formatted(base, model);
    }
  }

  /// How to load it.
  ///
  /// @param requests of each client
  /// @param firstPrompt tells the prompts of one run from those of another
  public record Load(
      int clients, int requests, int promptTokens, int outputTokens, int firstPrompt) {}

  /// What one request took.
  ///
  /// @param firstMillis from sending to the first text or token
  /// @param gapMillis between one piece of the answer and the next
  public record Answer(
      double firstMillis, List<Double> gapMillis, double totalMillis, int tokens) {}

  /// What a run gave; times in milliseconds.
  public record Result(
      int clients,
      int requests,
      double tokensPerSecond,
      double ttftP50,
      double ttftP95,
      double interTokenP50,
      double interTokenP95) {}

  /// Runs a load to its end. Any failed request fails the run: half an answer is not a measurement.
  public Result run(Target target, Load load) throws InterruptedException {
    AtomicInteger next = new AtomicInteger(load.firstPrompt());
    List<Callable<List<Answer>>> clients =
        Collections.nCopies(
            load.clients(),
            () -> {
              List<Answer> answers = new ArrayList<>();
              for (int request = 0; request < load.requests(); request++) {
                answers.add(complete(target, prompt(next.getAndIncrement(), load), load));
              }
              return answers;
            });
    List<Answer> answers = new ArrayList<>();
    long start = System.nanoTime();
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      for (Future<List<Answer>> done : threads.invokeAll(clients)) {
        answers.addAll(done.get());
      }
    } catch (ExecutionException e) {
      throw new IllegalStateException("a request to %s failed".formatted(target), e.getCause());
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    int tokens = answers.stream().mapToInt(Answer::tokens).sum();
    List<Double> first = answers.stream().map(Answer::firstMillis).toList();
    List<Double> gaps = answers.stream().flatMap(answer -> answer.gapMillis().stream()).toList();
    return new Result(
        load.clients(),
        answers.size(),
        tokens / seconds,
        Spread.percentileOf(first, 0.5),
        Spread.percentileOf(first, 0.95),
        Spread.percentileOf(gaps, 0.5),
        Spread.percentileOf(gaps, 0.95));
  }

  /// Tokens of English text that begin at another place for every number.
  static int[] prompt(int number, Load load) {
    List<Golden.Window> windows = Golden.perplexity().windows();
    int[] prompt = new int[load.promptTokens()];
    int[] text = windows.get(number % windows.size()).tokens();
    int offset = number / windows.size() * 7;
    for (int i = 0; i < prompt.length; i++) {
      prompt[i] = text[(offset + i) % text.length];
    }
    return prompt;
  }

  /// Sends one request over a connection of its own and reads its stream: llama-server closes a
  /// connection after a stream without saying so.
  public Answer complete(Target target, int[] prompt, Load load) {
    try (HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build()) {
      return complete(client, target, prompt, load);
    }
  }

  private static Answer complete(HttpClient client, Target target, int[] prompt, Load load) {
    HttpRequest request =
        HttpRequest.newBuilder(target.base().resolve("/v1/completions"))
            .timeout(REQUEST_TIMEOUT)
            .header("content-type", "application/json")
            .header("authorization", "Bearer " + target.key())
            .POST(BodyPublishers.ofString(body(target, prompt, load)))
            .build();
    long start = System.nanoTime();
    try {
      HttpResponse<InputStream> response = client.send(request, BodyHandlers.ofInputStream());
      try (BufferedReader lines =
          new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8))) {
        if (response.statusCode() != 200) {
          throw new IllegalStateException(
              "HTTP %d: %s".formatted(response.statusCode(), lines.readLine()));
        }
        return read(lines, start, load.outputTokens());
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    }
  }

  private static String body(Target target, int[] prompt, Load load) {
    ObjectNode body =
        JSON.createObjectNode()
            .put("model", target.model())
            .put("max_tokens", load.outputTokens())
            .put("temperature", 0)
            .put("ignore_eos", true)
            .put("stream", true);
    body.putObject("stream_options").put("include_usage", true);
    body.set("prompt", JSON.valueToTree(prompt));
    target.extra().forEach((name, value) -> body.set(name, JSON.valueToTree(value)));
    return body.toString();
  }

  /// Pieces of an answer are timed as they come: a server that holds text back until a character or
  /// word is certain shows as longer gaps.
  private static Answer read(BufferedReader lines, long start, int expectedTokens)
      throws IOException {
    List<Double> gaps = new ArrayList<>();
    double firstMillis = Double.NaN;
    double lastMillis = 0;
    int tokens = 0;
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      if (!line.startsWith("data:") || line.endsWith("[DONE]")) {
        continue;
      }
      double atMillis = (System.nanoTime() - start) / 1e6;
      JsonNode frame = JSON.readTree(line.substring("data:".length()));
      if (frame.has("error")) {
        throw new IllegalStateException("the stream ended with " + frame.get("error"));
      }
      tokens = frame.path("usage").path("completion_tokens").asInt(tokens);
      if (frame.path("choices").path(0).path("text").asText("").isEmpty()) {
        continue;
      }
      if (Double.isNaN(firstMillis)) {
        firstMillis = atMillis;
      } else {
        gaps.add(atMillis - lastMillis);
      }
      lastMillis = atMillis;
    }
    if (tokens != expectedTokens) {
      throw new IllegalStateException(
          "%d tokens came instead of %d".formatted(tokens, expectedTokens));
    }
    return new Answer(firstMillis, gaps, (System.nanoTime() - start) / 1e6, tokens);
  }
}
