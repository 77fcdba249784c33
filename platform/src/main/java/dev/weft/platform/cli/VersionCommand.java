package dev.weft.platform.cli;

import java.io.PrintWriter;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

@Command(name = "version", description = "Prints the versions of this command and of its Java.")
final class VersionCommand implements Runnable {
  @Spec private CommandSpec spec;

  @Override
  public void run() {
    PrintWriter out = spec.commandLine().getOut();
    for (String line : new Provider().getVersion()) {
      out.println(line);
    }
    out.flush();
  }

  /// Reads the versions from the jar's manifest.
  static final class Provider implements IVersionProvider {
    @Override
    public String[] getVersion() {
      Package ours = VersionCommand.class.getPackage();
      return new String[] {
        "weft " + Optional.ofNullable(ours.getImplementationVersion()).orElse("(not packaged)"),
        "java " + Runtime.version()
      };
    }
  }
}
