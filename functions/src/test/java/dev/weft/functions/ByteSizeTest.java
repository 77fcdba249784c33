package dev.weft.functions;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ByteSizeTest {
  @ParameterizedTest
  @CsvSource({
    "0, 0 B",
    "1023, 1023 B",
    "1024, 1.0 KiB",
    "-1536, -1.5 KiB",
    "98362432, 93.8 MiB",
    "1048575, 1.0 MiB",
    "14388231144, 13.4 GiB",
    "9223372036854775807, 8.0 EiB"
  })
  void writesTheUnitThatReadsBest(long bytes, String text) {
    assertThat(ByteSize.format(bytes)).isEqualTo(text);
  }
}
