package dev.weft.platform.cli;

import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.Tier;
import dev.weft.platform.management.ManagementApi;
import dev.weft.platform.management.ManagementApi.DeviceList;
import dev.weft.platform.management.ManagementApi.DeviceView;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

@Command(
    name = "top",
    description = "Shows the devices and what holds their memory, again and again on a terminal.")
final class TopCommand implements Runnable {
  private static final Duration PAUSE = Duration.ofSeconds(1);

  /// To the upper left corner.
  private static final String HOME = "\u001b[H";

  /// From here to the end of the line, and of the screen.
  private static final String END_LINE = "\u001b[K";

  private static final String END_SCREEN = "\u001b[J";

  @ParentCommand private Main weft;

  @Spec private CommandSpec spec;

  @Mixin private OutputFormat output;

  @Option(names = "--once", description = "Show it once; what happens where there is no terminal.")
  private boolean once;

  @Override
  public void run() {
    PrintWriter out = spec.commandLine().getOut();
    ApiClient api = weft.api();
    if (once || output.json() || !Terminal.interactive()) {
      DeviceList list = api.get(ManagementApi.DEVICES, DeviceList.class);
      out.print(output.json() ? Terminal.json(list) + "\n" : text(list));
      out.flush();
      return;
    }
    out.print(HOME + END_SCREEN);
    try {
      while (true) {
        String text = text(api.get(ManagementApi.DEVICES, DeviceList.class));
        out.print(HOME + text.replace("\n", END_LINE + "\n") + END_SCREEN);
        out.flush();
        Thread.sleep(PAUSE);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  static String text(DeviceList list) {
    List<List<String>> devices = new ArrayList<>();
    devices.add(
        List.of(
            "DEVICE",
            "CLASS",
            "STATE",
            "MEMORY",
            "PLANNED",
            "ACTUAL",
            "KV",
            "LASTS",
            "ACTIVATIONS",
            "CHUNKS"));
    List<List<String>> instances = new ArrayList<>();
    instances.add(
        List.of(
            "INSTANCE",
            "DEVICE",
            "TIER",
            "RUNNING",
            "WAITING",
            "HEADROOM",
            "WEIGHTS",
            "KV",
            "CHUNKS",
            "BLOCKS",
            "WORKERS"));
    for (DeviceView device : list.devices()) {
      devices.add(row(device));
      DeviceStatus status = device.status();
      if (status != null) {
        status.instances().stream()
            .filter(instance -> instance.tier().atLeast(Tier.HOST) || instance.busy())
            .forEach(instance -> instances.add(row(status, instance)));
      }
    }
    return Terminal.table(devices) + "\n" + Terminal.table(instances);
  }

  private static List<String> row(DeviceView device) {
    DeviceStatus status = device.status();
    if (status == null) {
      return List.of(
          device.device().value(), "-", state(device), "-", "-", "-", "-", "-", "-", "-");
    }
    DeviceStatus.Memory memory = status.memory();
    DeviceStatus.Chunks chunks = memory.chunks();
    return List.of(
        device.device().value(),
        ListCommand.lower(status.deviceClass()),
        state(device),
        Terminal.bytes(memory.capacityBytes()),
        Terminal.bytes(memory.plannedBytes()),
        Terminal.bytes(memory.actualBytes()),
        Terminal.bytes(chunks.kvBytes()),
        seconds(memory.kvLastsMillis()),
        Terminal.bytes(chunks.activationBytes()),
        "%d/%d".formatted(chunks.held(), chunks.total()));
  }

  /// Of its runtime.
  static String state(DeviceView device) {
    DeviceStatus status = device.status();
    if (status != null) {
      return ListCommand.lower(status.phase());
    }
    String absence = device.absence();
    return absence == null ? "away" : "away: " + absence;
  }

  private static String seconds(@Nullable Long millis) {
    return millis == null ? "-" : String.format(Locale.ROOT, "%.1f s", millis / 1e3);
  }

  private static List<String> row(DeviceStatus device, InstanceStatus instance) {
    InstanceStatus.Blocks blocks = instance.blocks();
    return List.of(
        instance.revision().toString(),
        device.device().value(),
        ListCommand.lower(instance.tier()),
        Integer.toString(instance.runningRequests()),
        Integer.toString(instance.waitingRequests()),
        seconds(instance.headroomMillis()),
        Terminal.bytes(instance.weightBytes()),
        Terminal.bytes(blocks.chunks() * device.memory().chunks().bytes()),
        Integer.toString(blocks.chunks()),
        "%d/%d".formatted(blocks.actual(), blocks.capacity()),
        instance.workers() == 0 ? "-" : Integer.toString(instance.workers()));
  }
}
