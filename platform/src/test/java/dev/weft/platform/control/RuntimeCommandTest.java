package dev.weft.platform.control;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.instance.DeviceId;
import dev.weft.platform.config.WeftConfig;
import dev.weft.platform.config.WeftHome;
import io.smallrye.config.PropertiesConfigSource;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What a runtime process is started with.
class RuntimeCommandTest {
  @TempDir Path directory;

  private RuntimeCommand command(String classpath) {
    WeftConfig config =
        new SmallRyeConfigBuilder()
            .addDiscoveredConverters()
            .withMapping(WeftConfig.class)
            .withSources(
                new PropertiesConfigSource(
                    Map.of("weft.home", directory.toString(), "weft.runtime.classpath", classpath),
                    "test",
                    100))
            .build()
            .getConfigMapping(WeftConfig.class);
    return RuntimeCommand.of(
        new DeviceId("cpu-0"),
        config,
        new WeftHome(directory),
        new RuntimeCommand.MeetingFiles(directory.resolve("a"), directory.resolve("s")));
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
}
