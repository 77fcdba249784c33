package dev.weft.platform.stub;

import io.quarkus.test.common.QuarkusTestResourceLifecycleManager;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// A home in a temporary directory, and [StubRuntime] as the runtime.
public final class StubHome implements QuarkusTestResourceLifecycleManager {
  private @Nullable Path home;

  @Override
  public Map<String, String> start() {
    try {
      Path made = Files.createTempDirectory("weft-test");
      home = made;
      return Map.of(
          "weft.home", made.toString(),
          "weft.devices", "cpu",
          "weft.runtime.classpath", classpath(),
          "weft.runtime.main-class", StubRuntime.class.getName(),
          "weft.runtime.heap", "128m",
          "weft.runtime.hung-after", "1s",
          // Tests end runtimes one after the other; each is to count as the first.
          "weft.runtime.stable-after", "10ms",
          "weft.runtime.drain-timeout", "2s",
          "weft.gateway.max-body", "1M",
          "weft.gateway.heartbeat", "100ms");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// What the tests themselves run on.
  public static String classpath() {
    return System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
  }

  @Override
  public void stop() {
    Path made = home;
    if (made == null) {
      return;
    }
    try (Stream<Path> files = Files.walk(made)) {
      files.sorted(Comparator.reverseOrder()).map(Path::toFile).forEach(java.io.File::delete);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
