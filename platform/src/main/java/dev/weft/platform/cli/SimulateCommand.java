package dev.weft.platform.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.autoscaler.simulation.Trace;
import dev.weft.platform.simulation.FileFormatException;
import dev.weft.platform.simulation.RunTable;
import dev.weft.platform.simulation.Runs;
import dev.weft.platform.simulation.Runs.Configuration;
import dev.weft.platform.simulation.Runs.Run;
import dev.weft.platform.simulation.SyntheticOption;
import dev.weft.platform.simulation.Testbed;
import dev.weft.platform.simulation.TraceFile;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
    name = "simulate",
    description = "Replays a trace on simulated devices, through the policies that run here.")
final class SimulateCommand implements Runnable {
  @Spec private CommandSpec spec;

  @Mixin private OutputFormat output;

  @Option(
      names = "--trace",
      paramLabel = "FILE",
      description = "Requests: JSON by function, JSON lines or comma-separated values.")
  private @Nullable Path trace;

  @Option(
      names = "--synthetic",
      paramLabel = "KEY=VALUE,...",
      description =
          "Makes requests up instead: requests, functions, seconds, prompt, answer, skew, burst,"
              + " regular.")
  private @Nullable String synthetic;

  @Option(
      names = "--functions",
      paramLabel = "N",
      description = "How many functions (default: those of the trace).")
  private int functions;

  @Option(
      names = "--model",
      paramLabel = "NAME,...",
      defaultValue = "7B",
      description = "3B, 7B, 8B, 13B or a profile's name; functions have several in turn.")
  private String model = "7B";

  @Option(
      names = "--devices",
      paramLabel = "KIND=N,...",
      defaultValue = "cpu=4,gpu=4",
      description = "cpu, cpu16, cpu8, gpu or a profile's name (default: ${DEFAULT-VALUE}).")
  private String devices = "cpu=4,gpu=4";

  @Option(
      names = "--policy",
      paramLabel = "NAME",
      defaultValue = "llm-mesh",
      description =
          "llm-mesh, exclusive, exclusive-swap or static-half (default: ${DEFAULT-VALUE}).")
  private String policy = "llm-mesh";

  @Option(
      names = "--without",
      split = ",",
      paramLabel = "MECHANISM,...",
      description = "Switches mechanisms of llm-mesh off, like preemption.")
  private List<String> without = new ArrayList<>();

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "1",
      description = "Of the noise; the same seed gives the same result.")
  private long seed = 1;

  @Option(
      names = "--profiles",
      paramLabel = "FILE",
      description = "Step times of other models and devices (default: LLM-Mesh's testbed).")
  private @Nullable Path profiles;

  @Option(
      names = "--what-if",
      paramLabel = "KEY=VALUE",
      description =
          "Compares with devices=..., policy=..., model=..., functions=... or without=...")
  private List<String> whatIf = new ArrayList<>();

  @Override
  public void run() {
    List<Run> runs = new ArrayList<>();
    try {
      Testbed testbed = profiles == null ? Testbed.measured() : Testbed.read(profiles);
      var simulations = new Runs(calls(), testbed);
      var base = new Configuration(functions, model, devices, policy, without, seed);
      runs.add(simulations.run(base));
      if (!whatIf.isEmpty()) {
        runs.add(simulations.run(changed(base)));
      }
    } catch (FileFormatException e) {
      throw new CliException(String.valueOf(e.getMessage()), "See  weft simulate --help");
    }
    PrintWriter out = spec.commandLine().getOut();
    out.print(output.json() ? json(runs) + "\n" : Terminal.table(RunTable.of(runs)));
    out.flush();
  }

  private Trace calls() {
    if (trace != null && synthetic == null) {
      return TraceFile.read(trace);
    }
    if (trace == null && synthetic != null) {
      return SyntheticOption.make(synthetic, seed);
    }
    throw new FileFormatException("either --trace FILE or --synthetic requests=N,...");
  }

  private Configuration changed(Configuration base) {
    Configuration changed = base;
    for (String change : whatIf) {
      String[] pair = change.split("=", 2);
      changed = changed.with(pair[0], pair.length == 2 ? pair[1] : "");
    }
    return changed;
  }

  /// One result, or an array of the two that are compared.
  private static String json(List<Run> runs) {
    List<ObjectNode> all = new ArrayList<>();
    for (Run run : runs) {
      ObjectNode node = ApiClient.JSON.valueToTree(run.result());
      node.set("configuration", ApiClient.JSON.valueToTree(run.configuration()));
      all.add(node);
    }
    return Terminal.json(all.size() == 1 ? all.getFirst() : all);
  }
}
