package dev.weft.bench.live;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.bench.report.Finding;
import dev.weft.bench.report.PartRecorder;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ComparisonTest {
  private final PartRecorder recorder = new PartRecorder();
  private final Comparison comparison = new Comparison(recorder);

  private void round(int round, double exclusive, double mesh, double simulated) {
    comparison.add(round, 200, Comparison.LIVE_EXCLUSIVE, figures(exclusive));
    comparison.add(round, 200, Comparison.LIVE_MESH, figures(mesh));
    comparison.add(round, 200, Comparison.SIMULATED_EXCLUSIVE, figures(exclusive));
    comparison.add(round, 200, Comparison.SIMULATED_MESH, figures(simulated));
  }

  private static Figures figures(double met) {
    return new Figures(met, met, 50, 0, 0, 100, 3, 20);
  }

  private Finding finding(String key) {
    return recorder.result("p", "t", Map.of()).findings().stream()
        .filter(finding -> finding.key().equals(key))
        .findFirst()
        .orElseThrow();
  }

  @Test
  void allRoundsTogetherAreHeldToTheBar() {
    round(0, 100, 150, 180);
    round(1, 50, 100, 95);
    comparison.find();

    assertThat(finding("live/mesh-over-exclusive").figure()).isEqualTo("+67 % (rounds: +50, +100)");
    Finding mesh = finding("agreement/mesh");
    assertThat(mesh.verdict()).as("275 of 250, ten percent").isEqualTo(Finding.Verdict.MET);
    assertThat(mesh.figure()).isEqualTo("10.0 %");
    assertThat(finding("agreement/exclusive").verdict()).isEqualTo(Finding.Verdict.MET);
    assertThat(recorder.median("all rounds", "met, percent", Comparison.LIVE_MESH)).hasValue(62.5);
  }

  @Test
  void whatIsFurtherApartMisses() {
    round(0, 100, 100, 116);
    comparison.find();
    assertThat(finding("agreement/mesh").verdict()).isEqualTo(Finding.Verdict.MISSED);
    assertThat(List.of(Comparison.apart(100, 85), Comparison.apart(100, 115)))
        .containsExactly(15.0, 15.0);
  }
}
