package dev.weft.runtime.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.function.IntToLongFunction;
import org.junit.jupiter.api.Test;

/// Steps of a made-up duration by the number of workers.
class TeamSizeTest {
  /// Runs steps and returns the nanoseconds of all.
  private static long run(TeamSize team, int steps, int rows, IntToLongFunction nanos) {
    long sum = 0;
    for (int i = 0; i < steps; i++) {
      long took = nanos.applyAsLong(team.choose(rows));
      team.took(rows, took);
      sum += took;
    }
    return sum;
  }

  private static long scales(int workers) {
    return 8_000_000L / workers;
  }

  /// A barrier's cost grows with the team, and the work is small.
  private static long tiny(int workers) {
    return 100_000L / workers + 60_000L * (workers - 1);
  }

  @Test
  void keepsAllWorkersWhereTheyAreFaster() {
    var team = new TeamSize(8);
    run(team, 2000, 1, TeamSizeTest::scales);
    assertThat(team.size()).isEqualTo(8);
  }

  @Test
  void findsTheFastestSizeOfATinyModel() {
    for (int largest : new int[] {2, 3, 4, 7, 16}) {
      var team = new TeamSize(largest);
      run(team, 400, 1, TeamSizeTest::tiny);
      assertThat(team.size()).as("of %d", largest).isEqualTo(1);
    }
  }

  @Test
  void comparingCostsLittle() {
    var team = new TeamSize(2);
    run(team, 4000, 1, TeamSizeTest::scales);
    long steps = 10_000;
    assertThat(run(team, (int) steps, 1, TeamSizeTest::scales))
        .isLessThan((long) (1.01 * steps * scales(2)));
  }

  /// A neighbour takes half of one processor's time: with two workers, one waits for the other.
  @Test
  void shrinksSoonBesideABusyNeighbourAndGrowsAgain() {
    var team = new TeamSize(2);
    run(team, 5000, 1, TeamSizeTest::scales);
    run(team, 100, 1, workers -> workers == 2 ? 12_000_000 : 8_000_000);
    assertThat(team.size()).isEqualTo(1);
    run(team, 5000, 1, workers -> workers == 2 ? 12_000_000 : 8_000_000);
    assertThat(team.size()).isEqualTo(1);
    run(team, 2100, 1, TeamSizeTest::scales);
    assertThat(team.size()).isEqualTo(2);
  }

  @Test
  void longStepsTakeAllWorkersAndSayNothingAboutShortOnes() {
    var team = new TeamSize(4);
    run(team, 400, 1, TeamSizeTest::tiny);
    assertThat(team.choose(TeamSize.MAX_ROWS + 1)).isEqualTo(4);
    team.took(TeamSize.MAX_ROWS + 1, 1_000_000_000);
    assertThat(team.size()).isEqualTo(1);
    assertThat(team.choose(1)).isEqualTo(1);
  }

  @Test
  void aDeviceOfOneWorkerHasNothingToChoose() {
    var team = new TeamSize(1);
    assertThat(run(team, 100, 1, TeamSizeTest::scales)).isEqualTo(100 * scales(1));
  }
}
