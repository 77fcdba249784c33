package dev.weft.bench.engine;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.bench.Confinement;
import dev.weft.bench.Peer;
import dev.weft.bench.Subprocess;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// A peer's own benchmark, which loads and warms up at each run.
public final class LlamaBench {
  private static final ObjectMapper JSON = new ObjectMapper();

  private LlamaBench() {}

  /// Tokens a second of a prompt, or one by one from an empty context; 0 of either leaves it out.
  public record Speed(double prefill, double decode) {}

  /// What to measure.
  public record Amount(int promptTokens, int outputTokens) {}

  public static Speed run(Peer peer, Path model, int threads, Amount amount, Confinement within)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(peer.binary("llama-bench").toString());
    command.addAll(List.of("-m", model.toString(), "-t", String.valueOf(threads), "-r", "1"));
    command.addAll(List.of("-p", String.valueOf(amount.promptTokens())));
    command.addAll(List.of("-n", String.valueOf(amount.outputTokens())));
    command.addAll(List.of("-o", "json"));
    if (peer.repacks()) {
      command.addAll(List.of("-rtr", "1"));
    }
    String output = Subprocess.output(within.command(command));
    double prefill = 0;
    double decode = 0;
    for (JsonNode result : JSON.readTree(output.substring(output.indexOf('[')))) {
      if (result.path("n_prompt").asInt() > 0) {
        prefill = result.path("avg_ts").asDouble();
      } else {
        decode = result.path("avg_ts").asDouble();
      }
    }
    return new Speed(prefill, decode);
  }
}
