package dev.weft.platform.cli;

import dev.weft.functions.FunctionName;
import dev.weft.functions.Model;
import dev.weft.functions.instance.InstanceStatus.Failure;
import dev.weft.functions.instance.InstanceStatus.LoadProgress;
import dev.weft.functions.instance.Tier;
import dev.weft.platform.management.ManagementApi;
import dev.weft.platform.management.ManagementApi.FunctionView;
import dev.weft.platform.management.ManagementApi.PrewarmRequest;
import java.io.PrintStream;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/// Brings functions to answer and shows how far they are: a line that changes on a terminal, a line
/// a phase elsewhere.
final class ReadyWait {
  private static final int BAR_CELLS = 20;

  private final ApiClient api;
  private final PrintStream out;
  private final boolean interactive = Terminal.interactive();
  private final Map<FunctionName, Rate> rates = new HashMap<>();
  private final Map<FunctionName, String> shown = new HashMap<>();

  ReadyWait(ApiClient api, PrintStream out) {
    this.api = api;
    this.out = out;
  }

  /// Loads the functions, then calls each once. Throws a [CliException] with the reason of the
  /// first that cannot load.
  void untilAllAnswer(List<FunctionName> names) {
    names.forEach(name -> api.post(path(name) + "/prewarm", new PrewarmRequest(Tier.READY)));
    List<FunctionView> functions = views(names);
    while (!functions.stream().allMatch(function -> function.status().tier() == Tier.READY)) {
      functions.forEach(ReadyWait::requirePossible);
      show(functions);
      LocalPlatform.pause();
      functions = views(names);
    }
    if (interactive) {
      Terminal.rewrite(out, "");
    }
    functions.forEach(this::call);
  }

  private List<FunctionView> views(List<FunctionName> names) {
    return names.stream().map(name -> api.get(path(name), FunctionView.class)).toList();
  }

  private static String path(FunctionName name) {
    return ManagementApi.FUNCTIONS + "/" + name;
  }

  private static void requirePossible(FunctionView function) {
    Failure failure = function.status().failure();
    if (failure != null && function.status().progress() == null) {
      throw new CliException(
          "%s cannot be loaded: %s".formatted(function.name(), failure.message()),
          "Correct the manifest and deploy again, or look:  weft logs " + function.name());
    }
  }

  private void call(FunctionView function) {
    Map<String, Object> body =
        function.kind() == Model.Kind.EMBEDDING
            ? Map.of("input", "ready?")
            : Map.of("prompt", "ready?", "max_tokens", 1);
    api.post("/functions/" + function.name() + "/invoke", body);
    out.printf("%-12s answers%n", function.name());
  }

  private void show(List<FunctionView> functions) {
    if (interactive) {
      functions.forEach(this::showNote);
      Terminal.rewrite(
          out,
          functions.stream()
              .map(function -> function.name() + ": " + state(function))
              .collect(Collectors.joining("   ")));
      return;
    }
    for (FunctionView function : functions) {
      LoadProgress progress = function.status().progress();
      String phase = progress == null ? "waiting" : phase(progress) + " " + progress.detail();
      if (!phase.equals(shown.put(function.name(), phase))) {
        out.printf("%-12s %s%n", function.name(), phase);
      }
    }
  }

  /// A source that was passed over, a choice between files: shown once and left standing.
  private void showNote(FunctionView function) {
    LoadProgress progress = function.status().progress();
    if (progress == null
        || progress.phase() != LoadProgress.Phase.FETCHING
        || progress.bytesTotal() > 0
        || progress.detail().isEmpty()
        || progress.detail().equals(shown.put(function.name(), progress.detail()))) {
      return;
    }
    Terminal.rewrite(out, function.name() + ": " + progress.detail() + System.lineSeparator());
  }

  private String state(FunctionView function) {
    LoadProgress progress = function.status().progress();
    if (function.status().tier() == Tier.READY) {
      return "ready";
    }
    if (progress == null) {
      return "waiting";
    }
    if (progress.bytesTotal() <= 0) {
      return phase(progress);
    }
    double share = Math.min(1, (double) progress.bytesDone() / progress.bytesTotal());
    int full = (int) (share * BAR_CELLS);
    Rate rate = rates.computeIfAbsent(function.name(), name -> new Rate());
    rate.add(progress.bytesDone(), System.nanoTime());
    return "%s [%s%s] %s of %s%s"
        .formatted(
            phase(progress),
            "#".repeat(full),
            ".".repeat(BAR_CELLS - full),
            Terminal.bytes(progress.bytesDone()),
            Terminal.bytes(progress.bytesTotal()),
            rate.describe(progress.bytesTotal() - progress.bytesDone()));
  }

  private static String phase(LoadProgress progress) {
    return progress.phase().name().toLowerCase(Locale.ROOT);
  }

  /// Bytes a second since the first sight of a download.
  private static final class Rate {
    private long firstBytes = -1;
    private long firstNanos;
    private double bytesPerSecond;

    void add(long bytes, long nanos) {
      if (firstBytes < 0 || bytes < firstBytes) {
        firstBytes = bytes;
        firstNanos = nanos;
      }
      double seconds = (nanos - firstNanos) / 1e9;
      bytesPerSecond = seconds > 0 ? (bytes - firstBytes) / seconds : 0;
    }

    String describe(long bytesLeft) {
      return bytesPerSecond < 1
          ? ""
          : ", %s/s, %s left"
              .formatted(
                  Terminal.bytes((long) bytesPerSecond),
                  Terminal.seconds((long) (bytesLeft / bytesPerSecond)));
    }
  }
}
