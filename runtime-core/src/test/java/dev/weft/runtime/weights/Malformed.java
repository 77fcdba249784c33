package dev.weft.runtime.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;

/// What must be true whenever a malformed file is opened: a [ModelFormatException] with a message
/// for people and without paths, little memory spent, and nothing left mapped.
public final class Malformed {
  private static final long ALLOCATION_MAX = 1 << 20;

  private Malformed() {}

  /// Opens twice (the first loads classes) and checks the second.
  ///
  /// @param directory where the file is
  /// @param words what the message must say
  public static void assertRefused(Path directory, ThrowingCallable open, String... words)
      throws IOException {
    assertThatThrownBy(open).isInstanceOf(ModelFormatException.class);
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = threads.getCurrentThreadAllocatedBytes();
    Throwable failure = null;
    try {
      open.call();
    } catch (Throwable e) {
      failure = e;
    }
    long allocated = threads.getCurrentThreadAllocatedBytes() - before;
    assertThat(failure)
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContainingAll(words)
        .hasMessageNotContaining(directory.toString());
    assertThat(allocated).as("bytes allocated").isLessThan(ALLOCATION_MAX);
    assertThat(Files.readString(Path.of("/proc/self/maps")))
        .as("mapped files")
        .doesNotContain(directory.toString());
  }
}
