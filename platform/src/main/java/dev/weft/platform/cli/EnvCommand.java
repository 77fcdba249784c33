package dev.weft.platform.cli;

import java.io.PrintWriter;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

@Command(
    name = "env",
    description = "Prints the variables that OpenAI clients read:  eval \"$(weft env)\"")
final class EnvCommand implements Runnable {
  @ParentCommand private Main weft;

  @Spec private CommandSpec spec;

  @Override
  public void run() {
    ApiClient api = weft.api();
    PrintWriter out = spec.commandLine().getOut();
    out.println("export OPENAI_BASE_URL=" + api.baseUrl() + "/v1");
    out.println("export OPENAI_API_KEY=" + api.key());
    out.flush();
  }
}
