package dev.weft.platform.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.nio.charset.Charset;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

@Command(
    name = "chat",
    description = "Talks with a function: a conversation, or one answer when a message is given.")
final class ChatCommand implements Runnable {
  private static final String DATA = "data: ";

  @ParentCommand private Main weft;

  @Spec private CommandSpec spec;

  @Parameters(index = "0", paramLabel = "NAME", description = "The function.")
  private String name;

  @Parameters(index = "1..*", arity = "0..*", paramLabel = "MESSAGE", description = "One message.")
  private List<String> message = List.of();

  @Option(names = "--system", paramLabel = "TEXT", description = "The system message.")
  private @Nullable String system;

  @Option(names = "--max-tokens", paramLabel = "N", description = "The longest answer.")
  private @Nullable Integer maxTokens;

  @Option(names = "--temperature", paramLabel = "T", description = "0 is greedy.")
  private @Nullable Double temperature;

  @Override
  public void run() {
    List<Map<String, String>> messages = new ArrayList<>();
    if (system != null) {
      messages.add(Map.of("role", "system", "content", system));
    }
    if (!message.isEmpty()) {
      say(messages, String.join(" ", message));
      return;
    }
    var in = new BufferedReader(new InputStreamReader(System.in, Charset.defaultCharset()));
    PrintWriter out = spec.commandLine().getOut();
    try {
      for (String line = ask(in, out); line != null; line = ask(in, out)) {
        if (!line.isBlank()) {
          say(messages, line);
        }
      }
    } catch (IOException e) {
      throw new CliException(
          "cannot read standard input: " + e.getMessage(), "Give the message as arguments.");
    }
  }

  private static @Nullable String ask(BufferedReader in, PrintWriter out) throws IOException {
    if (Terminal.interactive()) {
      out.print("> ");
      out.flush();
    }
    return in.readLine();
  }

  /// Sends the conversation with `text` added, prints the answer as it comes, and adds it.
  private void say(List<Map<String, String>> messages, String text) {
    messages.add(Map.of("role", "user", "content", text));
    Map<String, Object> body = new LinkedHashMap<>();
    body.put("model", name);
    body.put("messages", messages);
    body.put("stream", true);
    if (maxTokens != null) {
      body.put("max_tokens", maxTokens);
    }
    if (temperature != null) {
      body.put("temperature", temperature);
    }
    PrintWriter out = spec.commandLine().getOut();
    var answer = new StringBuilder();
    weft.api()
        .lines(
            "/v1/chat/completions",
            body,
            line -> {
              if (line.equals(DATA + "[DONE]")) {
                return false;
              }
              if (line.startsWith(DATA)) {
                String delta = delta(line.substring(DATA.length()));
                answer.append(delta);
                out.print(delta);
                out.flush();
              }
              return true;
            });
    out.println();
    out.flush();
    messages.add(Map.of("role", "assistant", "content", answer.toString()));
  }

  private static String delta(String frame) {
    try {
      JsonNode chunk = ApiClient.JSON.readTree(frame);
      if (chunk.has("error")) {
        throw new CliException(
            chunk.path("error").path("message").asText(), "Try again, or look:  weft logs");
      }
      return chunk.path("choices").path(0).path("delta").path("content").asText("");
    } catch (JsonProcessingException e) {
      throw new CliException(
          "the server sent a frame that is not JSON", "Look at the logs:  weft logs");
    }
  }
}
