package dev.weft.platform.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.platform.config.HostGpus;
import dev.weft.platform.config.WeftConfig;
import io.smallrye.config.PropertiesConfigSource;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class LocalDevicesTest {
  private static final HostGpus NONE = new HostGpus.None("the driver is too old");

  private final AtomicInteger asked = new AtomicInteger();

  private LocalDevices devices(String setting, HostGpus there) {
    WeftConfig config =
        new SmallRyeConfigBuilder()
            .addDiscoveredConverters()
            .withMapping(WeftConfig.class)
            .withSources(
                new PropertiesConfigSource(
                    Map.of("weft.home", "/nowhere", "weft.devices", setting), "test", 100))
            .build()
            .getConfigMapping(WeftConfig.class);
    return new LocalDevices(
        config,
        () -> {
          asked.incrementAndGet();
          return there;
        });
  }

  private static HostGpus gpus(int count) {
    return new HostGpus.Found(
        IntStream.range(0, count)
            .mapToObj(index -> new HostGpus.Gpu(index, "a card", "sm_90", 1L << 30))
            .toList());
  }

  private List<String> names(String setting, HostGpus there) {
    return devices(setting, there).all().stream().map(device -> device.id().value()).toList();
  }

  @Test
  void eachGpuIsADevice() {
    assertThat(names("cpu,gpu", gpus(2))).containsExactly("cpu-0", "gpu-0", "gpu-1");
    assertThat(names("gpu", gpus(1))).containsExactly("gpu-0");
    assertThat(names("gpu:3, gpu:1", gpus(0))).containsExactly("gpu-3", "gpu-1");
    assertThat(names("gpu,gpu:1", gpus(2))).containsExactly("gpu-0", "gpu-1");
  }

  @Test
  void gpusThatAreAskedForAndCannotBeUsedAreToldOfByTheirRuntime() {
    assertThat(names("gpu", NONE)).containsExactly("gpu-0");
    assertThat(names("cpu", NONE)).containsExactly("cpu-0");
  }

  @Test
  void theHostIsAskedOnceAndOnlyWhereItMatters() {
    LocalDevices devices = devices("cpu,gpu", gpus(1));
    assertThat(devices.all()).isSameAs(devices.all());
    assertThat(asked).hasValue(1);
    assertThat(names("cpu,gpu:0", gpus(1))).hasSize(2);
    assertThat(asked).hasValue(1);
  }

  @Test
  void whatIsNoDeviceIsRefused() {
    assertThatThrownBy(() -> devices("tpu", NONE).all())
        .hasMessage("weft.devices has 'tpu'; it is a list of auto, cpu, gpu and gpu:N");
  }
}
