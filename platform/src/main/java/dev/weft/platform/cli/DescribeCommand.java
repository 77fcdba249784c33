package dev.weft.platform.cli;

import dev.weft.functions.Function;
import dev.weft.functions.Manifests;
import dev.weft.platform.management.ManagementApi;
import dev.weft.platform.management.ManagementApi.FunctionView;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

@Command(
    name = "describe",
    description = "Shows a function: its manifest, conditions, instances and revisions.")
final class DescribeCommand implements Runnable {
  @ParentCommand private Main weft;

  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "NAME", description = "The function.")
  private String name;

  @Mixin private OutputFormat output;

  @Override
  public void run() {
    String path = ManagementApi.FUNCTIONS + "/" + name;
    FunctionView function = weft.api().get(path, FunctionView.class);
    PrintWriter out = spec.commandLine().getOut();
    if (output.json()) {
      out.println(Terminal.json(function));
    } else {
      var revisions =
          weft.api().get(path + "/revisions", ManagementApi.RevisionList.class).revisions();
      out.print(Manifests.toYaml(manifest(function)));
      out.println("---");
      out.print(Terminal.table(conditions(function)));
      if (!function.status().instances().isEmpty()) {
        out.println();
        out.print(Terminal.table(instances(function)));
      }
      out.println();
      List<List<String>> rows = new ArrayList<>(List.of(List.of("REVISION", "CREATED", "ACTIVE")));
      revisions.forEach(revision ->
          rows.add(
              List.of(
                  revision.id().toString(),
                  revision.createdAt().toString(),
                  revision.id().equals(function.revision()) ? "yes" : "")));
      out.print(Terminal.table(rows));
    }
    out.flush();
  }

  private static Function manifest(FunctionView function) {
    return new Function(
        Function.API_VERSION,
        Function.KIND,
        new Function.Metadata(function.name(), function.labels()),
        function.spec());
  }

  private static List<List<String>> conditions(FunctionView function) {
    List<List<String>> rows =
        new ArrayList<>(List.of(List.of("CONDITION", "STATUS", "REASON", "MESSAGE")));
    for (var condition : function.status().conditions()) {
      rows.add(
          List.of(
              condition.type(),
              ListCommand.lower(condition.status()),
              condition.reason(),
              condition.message()));
    }
    return rows;
  }

  private static List<List<String>> instances(FunctionView function) {
    List<List<String>> rows =
        new ArrayList<>(
            List.of(
                List.of(
                    "DEVICE",
                    "REVISION",
                    "TIER",
                    "RUNNING",
                    "WAITING",
                    "WEIGHTS",
                    "LOADS",
                    "WORKERS")));
    for (var instance : function.status().instances()) {
      rows.add(
          List.of(
              instance.device().value(),
              instance.revision().toString(),
              ListCommand.lower(instance.tier()),
              Integer.toString(instance.runningRequests()),
              Integer.toString(instance.waitingRequests()),
              Terminal.bytes(instance.weightBytes()),
              Long.toString(instance.loadCount()),
              instance.workers() == 0 ? "-" : Integer.toString(instance.workers())));
    }
    return rows;
  }
}
