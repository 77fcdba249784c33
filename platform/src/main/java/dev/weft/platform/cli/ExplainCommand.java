package dev.weft.platform.cli;

import dev.weft.platform.management.ManagementApi;
import dev.weft.platform.management.ManagementApi.DecisionList;
import dev.weft.platform.management.ManagementApi.DecisionView;
import java.io.PrintWriter;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.TreeMap;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

@Command(
    name = "explain",
    description = "Shows what was decided lately about a function or a request, and why.")
final class ExplainCommand implements Runnable {
  @ParentCommand private Main weft;

  @Spec private CommandSpec spec;

  @Parameters(
      paramLabel = "FUNCTION|REQUEST",
      description = "A function's name, or the x-request-id of an answer.")
  private String subject;

  @Option(
      names = "--limit",
      paramLabel = "N",
      defaultValue = "50",
      description = "The latest N decisions (default: ${DEFAULT-VALUE}).")
  private int limit;

  @Mixin private OutputFormat output;

  @Override
  public void run() {
    String path =
        "%s/%s?limit=%d"
            .formatted(
                ManagementApi.DECISIONS, URLEncoder.encode(subject, StandardCharsets.UTF_8), limit);
    DecisionList list = weft.api().get(path, DecisionList.class);
    PrintWriter out = spec.commandLine().getOut();
    if (output.json()) {
      out.println(Terminal.json(list));
    } else if (list.decisions().isEmpty()) {
      out.println("Nothing was decided lately about " + subject + ".");
    } else {
      out.print(text(list));
    }
    out.flush();
  }

  static String text(DecisionList list) {
    List<List<String>> rows = new ArrayList<>();
    rows.add(List.of("AT", "DECISION", "DEVICE", "REQUEST", "REASON", "VALUES"));
    for (DecisionView decision : list.decisions()) {
      rows.add(
          List.of(
              decision.at().toString(),
              decision.kind().replace('_', ' '),
              decision.device() == null ? "-" : decision.device().value(),
              decision.requestId() == null ? "-" : decision.requestId(),
              decision.reason(),
              values(decision)));
    }
    return Terminal.table(rows);
  }

  private static String values(DecisionView decision) {
    return new TreeMap<>(decision.values())
        .entrySet().stream()
            .map(value -> value.getKey() + "=" + number(value.getValue()))
            .collect(Collectors.joining(" "));
  }

  /// A count as a whole number, anything else to three places.
  private static String number(double value) {
    return String.format(Locale.ROOT, value == Math.rint(value) ? "%.0f" : "%.3f", value);
  }
}
