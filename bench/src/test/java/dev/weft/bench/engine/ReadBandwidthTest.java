package dev.weft.bench.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The reader checks by itself that it has read what it counts; it ends with an error if not.
class ReadBandwidthTest {
  /// Bytes that divide among the threads and their streams, and such that do not.
  @ParameterizedTest
  @CsvSource({"1, 1", "1, 8388608", "2, 5000001", "3, 7340032"})
  void readsWhatItCounts(int threads, long bytes) throws Exception {
    assertThat(ReadBandwidth.run(threads, bytes)).isFinite().isPositive();
  }

  @Test
  void noThreadsAreAnError() {
    assertThatThrownBy(() -> ReadBandwidth.run(0, 1 << 20))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("ended with 2");
  }
}
