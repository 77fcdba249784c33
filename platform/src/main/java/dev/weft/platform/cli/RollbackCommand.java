package dev.weft.platform.cli;

import dev.weft.platform.management.ManagementApi;
import java.io.PrintWriter;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

@Command(name = "rollback", description = "Makes an earlier revision the one that answers.")
final class RollbackCommand implements Runnable {
  @ParentCommand private Main weft;

  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "NAME", description = "The function.")
  private String name;

  @Option(
      names = "--to",
      paramLabel = "N",
      description = "The revision's number (default: the one before).")
  private @Nullable Integer to;

  @Override
  public void run() {
    var function =
        weft.api()
            .post(
                ManagementApi.FUNCTIONS + "/" + name + "/rollback",
                new ManagementApi.RollbackRequest(to),
                ManagementApi.FunctionView.class);
    PrintWriter out = spec.commandLine().getOut();
    out.println("active: " + function.revision());
    out.flush();
  }
}
