package dev.weft.runtime.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.engine.SwapContractTest;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.slf4j.LoggerFactory;

/// What is promised of swapping, on the native kernels; and that a disk that fails for every block,
/// or for many, is told of once and in a line.
class CpuSwapContractTest extends SwapContractTest {
  private static int warnings;

  private final Logger logger =
      (Logger) LoggerFactory.getLogger("dev.weft.runtime.engine.SwapStore");
  private final ListAppender<ILoggingEvent> events = new ListAppender<>();

  @Override
  protected Backend open() {
    return CpuDevices.backend();
  }

  @BeforeEach
  void listen() {
    events.start();
    logger.addAppender(events);
  }

  @AfterEach
  void onceAndWithoutATrace() {
    logger.detachAppender(events);
    assertThat(events.list).hasSizeLessThanOrEqualTo(1);
    for (ILoggingEvent event : events.list) {
      assertThat(event.getLevel()).isEqualTo(Level.WARN);
      assertThat(event.getThrowableProxy()).isNull();
    }
    warnings += events.list.size();
  }

  @AfterAll
  static void theMissingTheFailingAndTheForgetfulDiskWereToldOf() {
    assertThat(warnings).isEqualTo(3);
  }
}
