package dev.weft.autoscaler.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.weft.autoscaler.memory.ChunkShares.Member;
import dev.weft.autoscaler.memory.ChunkShares.Outcome;
import dev.weft.autoscaler.memory.ChunkShares.Outcome.Granted;
import dev.weft.autoscaler.memory.ChunkShares.Outcome.Refused;
import java.util.List;
import org.junit.jupiter.api.Test;

/// Devices of 100 chunks with guarantees of 10.
class ChunkSharesTest {
  private static Member member(String name, int held, int live, int cached, int wanted) {
    return new Member(name, held, live, cached, wanted, 10);
  }

  @Test
  void takesFreeChunksFirst() {
    Member asker = member("a", 20, 20, 0, 30);
    Member other = member("b", 40, 10, 10, 0);

    assertThat(ChunkShares.decide(30, asker, List.of(other), 40, 0))
        .isEqualTo(new Granted(30, List.of(0)));
  }

  @Test
  void takesWhatCostsLeastFromThoseWithTheMostOfIt() {
    Member asker = member("a", 20, 20, 0, 20);
    Member unused = member("b", 30, 25, 0, 0); // 5 unused
    Member cached = member("c", 45, 15, 20, 0); // 10 unused, 20 cached

    assertThat(ChunkShares.decide(20, asker, List.of(unused, cached), 3, 0))
        .isEqualTo(new Granted(3, List.of(5, 12)));
  }

  @Test
  void theBusyOneMayHaveAllThatIdleOnesLeave() {
    Member busy = member("a", 80, 80, 0, 50);
    Member idle = member("b", 20, 0, 0, 0);

    assertThat(ChunkShares.decide(20, busy, List.of(idle), 0, 1))
        .isEqualTo(new Granted(0, List.of(20)));
  }

  @Test
  void liveChunksComeBackUpToAnEqualPart() {
    Member busy = member("a", 100, 100, 0, 200);
    Member back = member("b", 0, 0, 0, 200);

    assertThat(ChunkShares.decide(50, back, List.of(busy), 0, 1))
        .isEqualTo(new Granted(0, List.of(50)));
    assertThat(ChunkShares.decide(51, back, List.of(busy), 0, 1))
        .isEqualTo(new Refused(51, "51 chunks are missing; with 0 in use b is entitled to 50"));
  }

  @Test
  void whatOneCannotUseIsTheOthers() {
    Member busy = member("a", 100, 100, 0, 200);
    Member small = member("b", 0, 0, 0, 30);

    assertThat(ChunkShares.decide(30, small, List.of(busy), 0, 1))
        .isEqualTo(new Granted(0, List.of(30)));
  }

  @Test
  void smallShiftsPreemptNobodyBeyondTheGuarantee() {
    Member over = member("a", 52, 52, 0, 100);
    Member asker = member("b", 48, 48, 0, 100);

    assertThat(ChunkShares.decide(1, asker, List.of(over), 0, 4)).isInstanceOf(Refused.class);
    assertThat(ChunkShares.decide(1, asker, List.of(over), 0, 1))
        .isEqualTo(new Granted(0, List.of(1)));
    Member poor = member("b", 8, 8, 0, 2);
    Member rich = member("a", 92, 92, 0, 0);
    assertThat(ChunkShares.decide(2, poor, List.of(rich), 0, 50))
        .as("its guarantee")
        .isEqualTo(new Granted(0, List.of(2)));
  }

  @Test
  void nobodyGoesBelowItsGuarantee() {
    Member a = new Member("a", 60, 60, 0, 0, 60);
    Member b = new Member("b", 40, 40, 0, 100, 40);

    assertThat(ChunkShares.decide(1, b, List.of(a), 0, 0)).isInstanceOf(Refused.class);
  }

  @Test
  void fourOfWhichOneBurstsGetsEverythingAndTheyShareEquallyWhenAllDo() {
    List<Member> idle =
        List.of(member("b", 5, 0, 0, 0), member("c", 5, 0, 5, 0), member("d", 0, 0, 0, 0));
    assertThat(ChunkShares.decide(10, member("a", 90, 90, 0, 10), idle, 0, 1))
        .isEqualTo(new Granted(0, List.of(5, 5, 0)));

    List<Member> busy =
        List.of(member("b", 60, 60, 0, 40), member("c", 30, 30, 0, 40), member("d", 10, 10, 0, 40));
    Outcome outcome = ChunkShares.decide(25, member("a", 0, 0, 0, 100), busy, 0, 1);
    assertThat(outcome).isEqualTo(new Granted(0, List.of(25, 0, 0)));
  }

  @Test
  void refusesCountsThatDoNotAddUp() {
    assertThatIllegalArgumentException().isThrownBy(() -> member("a", 10, 6, 5, 0));
  }
}
