package dev.weft.platform.cli;

import dev.weft.platform.config.Role;
import dev.weft.platform.config.WeftHome;
import java.io.PrintWriter;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

@Command(
    name = "down",
    description = "Lets what runs finish, then stops the platform and its runtimes.")
final class DownCommand implements Runnable {
  @ParentCommand private Main weft;

  @Spec private CommandSpec spec;

  @Override
  public void run() {
    PrintWriter out = spec.commandLine().getOut();
    WeftHome home = weft.home();
    Optional<Announcement> platform = Announcement.platform(home);
    if (platform.isPresent()) {
      var local = new LocalPlatform(home);
      if (platform.get().role() == Role.GATEWAY) {
        local.stopGateway(platform.get());
      } else {
        local.stop(platform.get(), weft.api());
      }
      out.println("Weft is down.");
    } else {
      int orphans = Orphans.end(home);
      out.println(
          orphans == 0
              ? "Weft was not up (home " + home.root() + ")."
              : "The platform was not up; ended %d runtime(s) that it left behind."
                  .formatted(orphans));
    }
    out.flush();
  }
}
