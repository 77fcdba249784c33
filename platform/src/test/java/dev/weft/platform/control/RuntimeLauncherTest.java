package dev.weft.platform.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.weft.functions.instance.DeviceId;
import dev.weft.platform.config.HostGpus;
import dev.weft.platform.config.WeftConfig;
import dev.weft.platform.config.WeftHome;
import dev.weft.platform.stub.StubHome;
import dev.weft.platform.stub.StubRuntime;
import io.smallrye.config.PropertiesConfigSource;
import io.smallrye.config.SmallRyeConfigBuilder;
import io.vertx.core.Vertx;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Starting a runtime process, and finding one that an earlier platform left.
class RuntimeLauncherTest {
  private static final DeviceId DEVICE = new DeviceId("cpu-0");

  @TempDir Path home;
  private final Vertx vertx = Vertx.vertx();

  @AfterEach
  void end() throws InterruptedException {
    Optional<RunningRuntime> left = launcher(Map.of()).adopt(DEVICE);
    if (left.isPresent()) {
      left.get().end(Duration.ZERO);
    }
    vertx.close();
  }

  private RuntimeLauncher launcher(Map<String, String> settings) {
    Map<String, String> all =
        new HashMap<>(
            Map.of(
                "weft.home", home.toString(),
                "weft.runtime.classpath", StubHome.classpath(),
                "weft.runtime.main-class", StubRuntime.class.getName(),
                "weft.devices", "cpu",
                "weft.runtime.heap", "128m"));
    all.putAll(settings);
    WeftConfig config =
        new SmallRyeConfigBuilder()
            .addDiscoveredConverters()
            .withMapping(WeftConfig.class)
            .withSources(new PropertiesConfigSource(all, "test", 100))
            .build()
            .getConfigMapping(WeftConfig.class);
    new WeftHome(home).prepare();
    var devices = new LocalDevices(config, () -> new HostGpus.None("no driver"));
    return new RuntimeLauncher(config, devices, new RuntimeClient(vertx));
  }

  @Test
  void runtimeThatAnEarlierPlatformLeftIsAdopted() throws InterruptedException {
    RunningRuntime started = launcher(Map.of()).start(DEVICE);
    assertThat(started.alive()).isTrue();
    RunningRuntime adopted = launcher(Map.of()).adopt(DEVICE).orElseThrow();
    assertThat(adopted.process().pid()).isEqualTo(started.process().pid());
    assertThat(adopted.address()).isEqualTo(started.address());
  }

  @Test
  void runtimeIsASessionOfItsOwn() throws InterruptedException, IOException {
    RunningRuntime started = launcher(Map.of()).start(DEVICE);
    String text = Files.readString(Path.of("/proc/" + started.process().pid() + "/stat"));
    List<String> stat = List.of(text.split(" ", -1));
    // Fields 5 and 6 of proc(5): the process group and the session.
    assertThat(stat.get(4)).isEqualTo(Long.toString(started.process().pid()));
    assertThat(stat.get(5)).isEqualTo(Long.toString(started.process().pid()));
  }

  @Test
  void runtimeWithOtherOptionsIsEndedRatherThanAdopted() throws InterruptedException {
    RunningRuntime started = launcher(Map.of()).start(DEVICE);
    assertThat(launcher(Map.of("weft.runtime.threads", "1")).adopt(DEVICE)).isEmpty();
    assertThat(started.alive()).isFalse();
  }

  @Test
  void runtimeOfADeviceThatIsNoLongerConfiguredIsEnded() throws InterruptedException {
    Map<String, String> two = Map.of("weft.runtime.cpus", "0;0");
    RunningRuntime first = launcher(two).start(DEVICE);
    var second = new DeviceId("cpu-1");
    RunningRuntime left = launcher(two).start(second);
    launcher(two).endOthers(List.of(DEVICE, second));
    assertThat(left.alive()).isTrue();
    launcher(Map.of()).endOthers(List.of(DEVICE));
    assertThat(left.alive()).isFalse();
    assertThat(first.alive()).isTrue();
  }

  @Test
  void runtimeThatDoesNotKnowTheSecretIsEnded() throws InterruptedException {
    RunningRuntime started = launcher(Map.of()).start(DEVICE);
    WeftHome.writePrivately(home.resolve("run/runtimes/cpu-0.secret"), "another");
    assertThat(launcher(Map.of()).adopt(DEVICE)).isEmpty();
    assertThat(started.alive()).isFalse();
  }

  @Test
  void processWithTheSamePidButAnotherStartIsLeftAlone() throws InterruptedException {
    RunningRuntime started = launcher(Map.of()).start(DEVICE);
    Path launch = home.resolve("run/runtimes/cpu-0.launch.json");
    String text = WeftHome.read(launch).orElseThrow();
    WeftHome.writePrivately(launch, text.replaceAll("\"startedAt\":\\d+", "\"startedAt\":1"));
    assertThat(launcher(Map.of()).adopt(DEVICE)).isEmpty();
    assertThat(started.alive()).isTrue();
    started.end(Duration.ZERO);
  }

  @Test
  void damagedFilesAreAsGoodAsNone() throws InterruptedException {
    launcher(Map.of());
    WeftHome.writePrivately(home.resolve("run/runtimes/cpu-0.launch.json"), "{\"pid\":");
    assertThat(launcher(Map.of()).adopt(DEVICE)).isEmpty();
  }

  @Test
  void whyARuntimeEndedIsToldInItsOwnWords() throws InterruptedException {
    RuntimeLauncher launcher = launcher(Map.of());
    RunningRuntime started = launcher.start(DEVICE);
    Path words = home.resolve("run/runtimes/cpu-0.end.json");
    WeftHome.writePrivately(
        words, "{\"pid\":%d,\"reason\":\"of age\"}".formatted(started.process().pid()));
    RunningRuntime adopted = launcher(Map.of()).adopt(DEVICE).orElseThrow();
    started.end(Duration.ZERO);

    assertThat(launcher.end(started))
        .isEqualTo("the runtime process ended with exit code 137: of age");
    assertThat(launcher.end(adopted)).isEqualTo("the runtime process ended: of age");

    WeftHome.writePrivately(words, "{\"pid\":1,\"reason\":\"another's\"}");
    assertThat(launcher.end(adopted)).isEqualTo("the runtime process ended");
  }

  @Test
  void processThatEndsAtOnceIsToldWithTheEndOfItsLog() {
    assertThatExceptionOfType(RuntimeUnavailableException.class)
        .isThrownBy(() -> launcher(Map.of("weft.runtime.main-class", "no.such.Main")).start(DEVICE))
        .withMessageContaining("no.such.Main");
  }

  @Test
  void missingInstallationIsToldWithTheSetting() {
    assertThatExceptionOfType(RuntimeUnavailableException.class)
        .isThrownBy(() -> {
          Map<String, String> settings = new HashMap<>();
          settings.put("weft.runtime.classpath", "");
          launcher(settings).start(DEVICE);
        })
        .withMessageContaining("WEFT_DIST");
  }
}
