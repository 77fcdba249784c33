package dev.weft.runtime.gpu;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.weft.functions.Json;
import dev.weft.functions.instance.DeviceId;
import dev.weft.runtime.gpu.cuda.CudaDriver;
import dev.weft.runtime.gpu.kernels.CachedKernels;
import dev.weft.runtime.gpu.nvrtc.Nvrtc;
import dev.weft.runtime.server.CpuChoice;
import dev.weft.runtime.server.RuntimeOptions;
import dev.weft.runtime.server.RuntimeProcess;
import java.util.List;
import java.util.Map;

/// The runtime process of a GPU; [RuntimeOptions] has the command line. With `--probe` alone it
/// prints what there is to run on instead ([GpuProbe]), as one line of JSON, and exits with 1 when
/// that is nothing.
public final class Main {
  private static final String PROBE = "--probe";

  private Main() {}

  public static void main(String[] arguments) throws JsonProcessingException {
    List<String> words = List.of(arguments);
    if (words.equals(List.of(PROBE))) {
      GpuProbe probe = GpuProbe.of(System.getenv());
      System.out.println(Json.mapper().writeValueAsString(probe));
      System.exit(probe.problem() == null ? 0 : 1);
    }
    RuntimeProcess.run(words, new DeviceId("gpu-0"), Main::open).ifPresent(System::exit);
  }

  private static RuntimeProcess.Opened open(
      RuntimeOptions options, Map<String, String> environment) {
    if (options.threads().isPresent() || !(options.cpus() instanceof CpuChoice.Any)) {
      throw new IllegalArgumentException(
          "--threads and --cpus are for CPU runtimes; this one computes on a GPU (--gpu N)");
    }
    int index = options.gpu().orElse(0);
    CudaDriver driver = GpuHost.open(index);
    Nvrtc nvrtc = GpuHost.compiler(driver, environment);
    var backend =
        new GpuBackend(
            driver,
            index,
            new CachedKernels(options.home().resolve("cache/kernels"), () -> nvrtc),
            lost -> RuntimeProcess.deviceLost(options, "lost its GPU: " + lost.getMessage()),
            HostMemoryLimit.of(environment));
    return new RuntimeProcess.Opened(backend, backend.capacityBytes());
  }
}
