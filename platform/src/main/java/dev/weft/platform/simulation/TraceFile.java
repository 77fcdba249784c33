package dev.weft.platform.simulation;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.autoscaler.simulation.Trace;
import dev.weft.autoscaler.simulation.Trace.NamedCall;
import dev.weft.functions.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.format.DateTimeParseException;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;

/// Reads traces of three formats, told apart by how they begin:
///
/// - an array of functions, `[{"HashFunction": ..., "timestamps": [seconds], "input": [tokens],
///   "output": [tokens]}]`;
/// - a line for each request, `{"timestamp": milliseconds, "input_length": ..., "output_length":
///   ...}`;
/// - comma-separated values headed `TIMESTAMP,ContextTokens,GeneratedTokens`.
///
/// The last two name no functions. Requests without an answer are left out.
public final class TraceFile {
  private static final LocalDateTime EPOCH = LocalDateTime.of(1970, 1, 1, 0, 0);

  private static final ObjectMapper JSON = Json.mapper();
  private static final String NAMELESS = "f0";
  private static final String HEADING = "TIMESTAMP,ContextTokens,GeneratedTokens";

  private TraceFile() {}

  /// Reads a file.
  ///
  /// @throws FileFormatException when it cannot be read as any of them
  public static Trace read(Path file) {
    String text;
    try {
      text = Files.readString(file);
    } catch (NoSuchFileException e) {
      throw new FileFormatException("there is no file " + file);
    } catch (IOException e) {
      throw new FileFormatException("cannot read %s: %s".formatted(file, e.getMessage()));
    }
    List<NamedCall> calls = new ArrayList<>();
    String begin = text.stripLeading();
    if (begin.startsWith("[")) {
      functions(file, text, calls);
    } else if (begin.startsWith("{")) {
      jsonLines(file, text, calls);
    } else if (begin.startsWith(HEADING)) {
      commaSeparated(file, text, calls);
    } else {
      throw new FileFormatException(
          file + " is no trace: it begins with neither [ nor { nor " + HEADING);
    }
    if (calls.isEmpty()) {
      throw new FileFormatException(file + " has no requests");
    }
    return Trace.of(calls);
  }

  private static void functions(Path file, String text, List<NamedCall> calls) {
    JsonNode all = json(file, 1, text);
    int number = 0;
    for (JsonNode function : all) {
      JsonNode times = function.path("timestamps");
      JsonNode input = function.path("input");
      JsonNode output = function.path("output");
      if (times.size() != input.size() || times.size() != output.size()) {
        throw new FileFormatException(
            "%s: function %d has %d timestamps, %d inputs, %d outputs"
                .formatted(file, number, times.size(), input.size(), output.size()));
      }
      String name = function.path("HashFunction").asText("f" + number);
      for (int i = 0; i < times.size(); i++) {
        add(calls, name, times.get(i).asDouble(), input.get(i).asInt(), output.get(i).asInt());
      }
      number++;
    }
  }

  private static void jsonLines(Path file, String text, List<NamedCall> calls) {
    int number = 0;
    for (String line : text.lines().toList()) {
      number++;
      if (line.isBlank()) {
        continue;
      }
      JsonNode call = json(file, number, line);
      if (!call.has("timestamp") || !call.has("input_length") || !call.has("output_length")) {
        throw new FileFormatException(
            "%s, line %d lacks timestamp, input_length or output_length".formatted(file, number));
      }
      add(
          calls,
          NAMELESS,
          call.path("timestamp").asDouble() / 1_000,
          call.path("input_length").asInt(),
          call.path("output_length").asInt());
    }
  }

  private static void commaSeparated(Path file, String text, List<NamedCall> calls) {
    int number = 0;
    for (String line : text.lines().toList()) {
      number++;
      if (number == 1 || line.isBlank()) {
        continue;
      }
      String[] parts = line.strip().split(",", -1);
      try {
        LocalDateTime time = LocalDateTime.parse(parts[0].replace(' ', 'T'));
        double seconds = ChronoUnit.NANOS.between(EPOCH, time) / 1e9;
        add(calls, NAMELESS, seconds, Integer.parseInt(parts[1]), Integer.parseInt(parts[2]));
      } catch (DateTimeParseException | NumberFormatException | ArrayIndexOutOfBoundsException e) {
        throw new FileFormatException(
            "%s, line %d is not a time and two numbers: %s".formatted(file, number, line));
      }
    }
  }

  private static void add(
      List<NamedCall> calls, String function, double seconds, int prompt, int answer) {
    if (prompt > 0 && answer > 0) {
      calls.add(new NamedCall(function, seconds, prompt, answer));
    }
  }

  private static JsonNode json(Path file, int line, String text) {
    try {
      return JSON.readTree(text);
    } catch (JsonProcessingException e) {
      throw new FileFormatException(
          "%s, line %d is not JSON: %s".formatted(file, line, e.getOriginalMessage()));
    }
  }
}
