package dev.weft.runtime.cpu;

import dev.weft.runtime.cpu.topology.CpuTopology;
import dev.weft.runtime.server.RuntimeOptions;
import dev.weft.runtime.server.RuntimeProcess;
import java.util.List;
import java.util.Map;

/// The runtime process of a CPU device; [RuntimeOptions] has the command line.
///
/// Run it with these flags of the JVM:
///
/// - `-XX:+UseSerialGC -Xms32m -Xmx1g`: the heap holds requests and tokenizers, not weights; one
///   collector thread leaves the cores to the kernels.
/// - `-XX:MinHeapFreeRatio=10 -XX:MaxHeapFreeRatio=30 -XX:-ShrinkHeapInSteps`: what a load took of
///   the heap goes back.
/// - `-XX:AOTCache=runtime.aot`, with the jars of its directory by name and in order: classes are
///   loaded and linked already. The build makes it; one that does not fit is ignored.
/// - `--enable-native-access=ALL-UNNAMED`: kernels are called through `java.lang.foreign`.
/// - `--sun-misc-unsafe-memory-access=allow`: Netty's buffers.
/// - `-XX:+ExitOnOutOfMemoryError`: a process that is out of memory is started again by whoever
///   watches it, rather than limping on.
public final class Main {
  private Main() {}

  public static void main(String[] arguments) {
    // Netty looks for a logging framework and for native transports otherwise; neither is needed.
    System.setProperty(
        "vertx.logger-delegate-factory-class-name",
        "io.vertx.core.logging.SLF4JLogDelegateFactory");
    RuntimeProcess.run(List.of(arguments), Main::open).ifPresent(System::exit);
  }

  private static RuntimeProcess.Opened open(
      RuntimeOptions options, Map<String, String> environment) {
    CpuTopology topology = CpuTopology.detect();
    int threads = options.threads().orElse(threads(options, topology));
    CpuOptions cpu = CpuOptions.of(options.home(), threads, environment).withCpus(options.cpus());
    return new RuntimeProcess.Opened(CpuBackends.open(cpu), topology.defaultCapacityBytes());
  }

  private static int threads(RuntimeOptions options, CpuTopology topology) {
    return options.cpus().isEmpty() ? topology.processors() : options.cpus().size();
  }
}
