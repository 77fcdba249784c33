package dev.weft.platform.cli;

import dev.weft.platform.management.ManagementApi;
import java.io.PrintWriter;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

@Command(
    name = "delete",
    aliases = "rm",
    description =
        "Deletes functions: lets what runs finish, unloads them, forgets them. Model files stay cached.")
final class DeleteCommand implements Runnable {
  @ParentCommand private Main weft;

  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "NAME", arity = "1..*", description = "The functions.")
  private List<String> names;

  @Override
  public void run() {
    PrintWriter out = spec.commandLine().getOut();
    for (String name : names) {
      weft.api().delete(ManagementApi.FUNCTIONS + "/" + name);
      out.println("deleted: " + name);
      out.flush();
    }
  }
}
