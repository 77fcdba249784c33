package dev.weft.runtime.cpu;

import dev.weft.functions.instance.DeviceId;
import dev.weft.runtime.cpu.topology.CpuTopology;
import dev.weft.runtime.cpu.topology.Placement;
import dev.weft.runtime.cpu.topology.Processors;
import dev.weft.runtime.foreign.NativeException;
import dev.weft.runtime.server.CpuChoice;
import dev.weft.runtime.server.RuntimeOptions;
import dev.weft.runtime.server.RuntimeProcess;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The runtime process of a CPU device; [RuntimeOptions] has the command line.
///
/// Run it as `java @runtime.options -Xmx1g -XX:AOTCache=runtime.aot`, with the jars of its
/// directory by name and in order: the build lays the options and the cache beside the jars. With
/// the cache, classes are loaded and linked already; one that does not fit is ignored.
public final class Main {
  private static final Logger log = LoggerFactory.getLogger(Main.class);

  private Main() {}

  public static void main(String[] arguments) {
    RuntimeProcess.run(List.of(arguments), new DeviceId("cpu-0"), Main::open)
        .ifPresent(System::exit);
  }

  private static RuntimeProcess.Opened open(
      RuntimeOptions options, Map<String, String> environment) {
    if (options.gpu().isPresent()) {
      throw new IllegalArgumentException("--gpu is for GPU runtimes; this one runs on processors");
    }
    Processors.Chosen chosen = Processors.detect().choose(options.cpus());
    place(options.cpus(), chosen);
    CpuTopology topology = CpuTopology.detect();
    int threads = options.threads().orElse(Math.min(topology.processors(), chosen.cpus().size()));
    CpuOptions cpu = CpuOptions.of(options.home(), threads, environment);
    return new RuntimeProcess.Opened(
        CpuBackends.open(cpu), topology.defaultCapacityBytes(chosen.memoryShare()));
  }

  /// Keeps the process where it was told to be, and its memory near or, where its processors are of
  /// several nodes, spread over them: a node's own processors would read all of it otherwise, and
  /// half of the machine's bandwidth be idle.
  private static void place(CpuChoice asked, Processors.Chosen chosen) {
    if (!(asked instanceof CpuChoice.Any)) {
      Placement.confine(chosen.cpus());
    }
    if (chosen.nodes().size() > 1) {
      log.atInfo()
          .addKeyValue("nodes", chosen.nodes())
          .log("the device spans NUMA nodes; one for each node is faster (--cpus node:N)");
      try {
        Placement.interleave(chosen.nodes());
      } catch (NativeException e) {
        log.atWarn()
            .addKeyValue("reason", e.getMessage())
            .log("memory is not spread over the nodes; some containers do not allow it");
      }
    }
    if (!chosen.halfCores().isEmpty()) {
      log.atWarn()
          .addKeyValue("processors", CpuChoice.format(chosen.halfCores()))
          .log("processors share their core with others that are not this device's");
    }
  }
}
