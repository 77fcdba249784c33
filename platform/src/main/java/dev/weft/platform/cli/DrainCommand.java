package dev.weft.platform.cli;

import dev.weft.platform.management.ManagementApi;
import java.io.PrintWriter;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

@Command(
    name = "drain",
    description = "Empties a device: it takes nothing new, and what runs finishes or moves.")
final class DrainCommand implements Runnable {
  @ParentCommand private Main weft;

  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "DEVICE", description = "The device, as 'weft top' names it.")
  private String device;

  @Option(names = "--undo", description = "Has the device take work again.")
  private boolean undo;

  @Override
  public void run() {
    String path = ManagementApi.DEVICES + "/" + device + "/drain";
    PrintWriter out = spec.commandLine().getOut();
    if (undo) {
      weft.api().delete(path);
      out.println("takes work again: " + device);
    } else {
      var drained = weft.api().post(path, "", ManagementApi.DeviceView.class);
      out.println("draining: " + drained.device());
    }
    out.flush();
  }
}
