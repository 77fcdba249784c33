package dev.weft.bench.report;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/// A result names the processors that it was measured on, and how many it left idle.
class MachineTest {
  @Test
  void saysWhenOnlySomeProcessorsWereUsed() {
    Machine some = new Machine("Intel(R) Xeon(R) Processor", 2, 16);
    assertThat(some.description()).isEqualTo("Intel(R) Xeon(R) Processor, 2 of 16 processors");
    assertThat(some.label()).isEqualTo("intel-r-xeon-r-processor-2-of-16c");
  }

  @Test
  void saysHowManyThereAreWhenAllWereUsed() {
    Machine all = new Machine("AMD EPYC", 2, 2);
    assertThat(all.description()).isEqualTo("AMD EPYC, 2 processors");
    assertThat(all.label()).isEqualTo("amd-epyc-2c");
  }
}
