package dev.weft.platform.cli;

import dev.weft.platform.management.ManagementApi;
import dev.weft.platform.management.ManagementApi.Condition;
import dev.weft.platform.management.ManagementApi.FunctionView;
import java.io.PrintWriter;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

@Command(name = "list", aliases = "ls", description = "Lists the functions and how they are.")
final class ListCommand implements Runnable {
  @ParentCommand private Main weft;

  @Spec private CommandSpec spec;

  @Mixin private OutputFormat output;

  @Override
  public void run() {
    var list = weft.api().get(ManagementApi.FUNCTIONS, ManagementApi.FunctionList.class);
    PrintWriter out = spec.commandLine().getOut();
    if (output.json()) {
      out.println(Terminal.json(list));
    } else {
      List<List<String>> rows = new ArrayList<>();
      rows.add(List.of("NAME", "KIND", "REVISION", "READY", "TIER", "WEIGHTS", "RUNNING", "AGE"));
      list.functions().forEach(function -> rows.add(row(function)));
      out.print(Terminal.table(rows));
    }
    out.flush();
  }

  private static List<String> row(FunctionView function) {
    var instances = function.status().instances();
    long weightBytes = instances.stream().mapToLong(ManagementApi.InstanceView::weightBytes).sum();
    int running = instances.stream().mapToInt(ManagementApi.InstanceView::runningRequests).sum();
    return List.of(
        function.name().value(),
        function.kind() == null ? "?" : lower(function.kind()),
        function.revision().toString(),
        lower(function.status().condition(Condition.READY).status()),
        lower(function.status().tier()),
        weightBytes == 0 ? "-" : Terminal.bytes(weightBytes),
        Integer.toString(running),
        Terminal.seconds(Duration.between(function.createdAt(), Instant.now()).toSeconds()));
  }

  static String lower(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }
}
