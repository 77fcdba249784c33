package dev.weft.platform.cli;

import dev.weft.platform.management.ManagementApi;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

@Command(
    name = "logs",
    description = "Shows a function's log lines; without a name the ends of all local logs.")
final class LogsCommand implements Runnable {
  private static final int TAIL_LINES = 40;

  @ParentCommand private Main weft;

  @Spec private CommandSpec spec;

  @Parameters(arity = "0..1", paramLabel = "NAME", description = "The function.")
  private @Nullable String name;

  @Option(
      names = {"-f", "--follow"},
      description = "Go on as lines come.")
  private boolean follow;

  @Override
  public void run() {
    PrintWriter out = spec.commandLine().getOut();
    if (name == null) {
      tails(out);
      return;
    }
    weft.api()
        .lines(
            ManagementApi.FUNCTIONS + "/" + name + "/logs?follow=" + follow,
            null,
            line -> {
              out.println(line);
              out.flush();
              return true;
            });
  }

  /// Works while the platform is down, when logs are needed most.
  private void tails(PrintWriter out) {
    Path directory = weft.home().logs();
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file : files.sorted().toList()) {
        List<String> lines = Files.readAllLines(file);
        out.println("==> " + file);
        lines.stream().skip(Math.max(0, lines.size() - TAIL_LINES)).forEach(out::println);
        out.println();
      }
    } catch (IOException | UncheckedIOException e) {
      throw new CliException(
          "cannot read " + directory + ": " + e.getMessage(), "Is --home right?");
    }
    out.flush();
  }
}
