package dev.weft.platform.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

@Command(
    name = "invoke",
    description = "Calls a function once: sends a JSON body, prints the answer.",
    footer = {
      "",
      "weft invoke smollm2 -d '{\"messages\":[{\"role\":\"user\",\"content\":\"Say hello.\"}]}'",
      "weft invoke minilm -d '{\"input\":\"a text\"}'",
      "weft invoke smollm2 -d @body.json      weft invoke smollm2 -d - < body.json"
    })
final class InvokeCommand implements Runnable {
  @ParentCommand private Main weft;

  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "NAME", description = "The function.")
  private String name;

  @Option(
      names = {"-d", "--data"},
      required = true,
      paramLabel = "JSON|@FILE|-",
      description = "The body: JSON, a file, or standard input.")
  private String data;

  @Override
  public void run() {
    JsonNode body = body();
    PrintWriter out = spec.commandLine().getOut();
    String path = "/functions/" + name + "/invoke";
    if (body.path("stream").asBoolean(false)) {
      weft.api()
          .lines(
              path,
              body,
              line -> {
                out.println(line);
                out.flush();
                return true;
              });
    } else {
      out.println(Terminal.json(weft.api().post(path, body, JsonNode.class)));
      out.flush();
    }
  }

  private JsonNode body() {
    try {
      String text =
          switch (data) {
            case "-" -> new String(System.in.readAllBytes(), StandardCharsets.UTF_8);
            case String file when file.startsWith("@") ->
                Files.readString(Path.of(file.substring(1)));
            default -> data;
          };
      return ApiClient.JSON.readTree(text);
    } catch (JsonProcessingException e) {
      throw new CliException(
          "the body is not JSON: " + e.getOriginalMessage(), "See  weft invoke --help");
    } catch (IOException e) {
      throw new CliException("cannot read the body: " + e.getMessage(), "See  weft invoke --help");
    }
  }
}
