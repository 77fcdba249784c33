package dev.weft.platform.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.platform.config.HostGpus;
import dev.weft.platform.config.WeftConfig;
import dev.weft.platform.config.WeftHome;
import io.smallrye.config.PropertiesConfigSource;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What a runtime process is started with.
class RuntimeCommandTest {
  @TempDir Path directory;

  private RuntimeCommand command(String classpath) {
    return commands(Map.of("weft.runtime.classpath", classpath)).getFirst();
  }

  /// One for each device.
  private List<RuntimeCommand> commands(Map<String, String> settings) {
    Map<String, String> all = new HashMap<>(settings);
    all.put("weft.home", directory.toString());
    all.putIfAbsent("weft.runtime.classpath", "one.jar");
    WeftConfig config =
        new SmallRyeConfigBuilder()
            .addDiscoveredConverters()
            .withMapping(WeftConfig.class)
            .withSources(new PropertiesConfigSource(all, "test", 100))
            .build()
            .getConfigMapping(WeftConfig.class);
    return new LocalDevices(config, () -> new HostGpus.None("no driver"))
        .all().stream()
            .map(device ->
                RuntimeCommand.of(
                    device,
                    config,
                    new WeftHome(directory),
                    new RuntimeCommand.MeetingFiles(
                        directory.resolve("a"), directory.resolve("s"))))
            .toList();
  }

  private String classpath(RuntimeCommand command) {
    return command.words().get(command.words().indexOf("-cp") + 1);
  }

  @Test
  void jarsOfADirectoryAreNamedInOrder() throws IOException {
    Path app = Files.createDirectory(directory.resolve("app"));
    for (String name : new String[] {"b.jar", "a.jar", "notes.txt"}) {
      Files.createFile(app.resolve(name));
    }
    assertThat(classpath(command(app + "/*"))).isEqualTo(app + "/a.jar:" + app + "/b.jar");
    assertThat(classpath(command("one.jar:two.jar"))).isEqualTo("one.jar:two.jar");
  }

  @Test
  void optionsOfTheJvmAreThoseBesideTheJars() throws IOException {
    Path app = Files.createDirectory(directory.resolve("app"));
    Path options = Files.createFile(app.resolve("runtime.options"));
    RuntimeCommand command = command(app + "/*");
    assertThat(command.words()).containsSubsequence("@" + options, "-Xmx1g", "-cp");
    Files.writeString(options, "-Xms32m");
    assertThat(command(app + "/*").build()).as("another build").isNotEqualTo(command.build());
  }

  @Test
  void aotCacheIsUsedWhereThereIsOne() throws IOException {
    Path app = Files.createDirectory(directory.resolve("app"));
    Files.createFile(app.resolve("a.jar"));
    RuntimeCommand without = command(app + "/*");
    assertThat(without.words()).noneMatch(word -> word.startsWith("-XX:AOTCache"));
    Files.createFile(app.resolve("runtime.aot"));
    RuntimeCommand with = command(app + "/*");
    assertThat(with.words()).contains("-XX:AOTCache=" + app.resolve("runtime.aot"));
    assertThat(with.build()).as("another build").isNotEqualTo(without.build());
  }

  @Test
  void aGpuHasARuntimeOfItsOwnKind() {
    List<RuntimeCommand> both =
        commands(
            Map.of(
                "weft.devices", "cpu,gpu:1",
                "weft.runtime.memory", "1g",
                "weft.runtime.threads", "3",
                "weft.runtime.gpu.classpath", "gpu.jar",
                "weft.runtime.gpu.memory", "40g"));
    assertThat(both).hasSize(2);
    assertThat(both.getFirst().words())
        .containsSubsequence("one.jar", "dev.weft.runtime.cpu.Main", "--device", "cpu-0")
        .containsSubsequence("--threads", "3", "--memory", "1073741824")
        .doesNotContain("--gpu");
    assertThat(both.getLast().words())
        .containsSubsequence("gpu.jar", "dev.weft.runtime.gpu.Main", "--device", "gpu-1")
        .containsSubsequence("--gpu", "1", "--memory", "42949672960")
        .doesNotContain("--threads");
  }

  @Test
  void eachSetOfProcessorsIsADevice() {
    List<RuntimeCommand> two = commands(Map.of("weft.runtime.cpus", "0-3,8; node:1"));
    assertThat(two).hasSize(2);
    assertThat(two.getFirst().words()).containsSubsequence("--device", "cpu-0", "--cpus", "0-3,8");
    assertThat(two.getLast().words()).containsSubsequence("--device", "cpu-1", "--cpus", "node:1");
    assertThat(commands(Map.of()).getFirst().words()).contains("cpu-0").doesNotContain("--cpus");
    assertThatThrownBy(() -> commands(Map.of("weft.runtime.cpus", "0-3;")))
        .hasMessageContaining("has an empty set");
  }
}
