package dev.weft.autoscaler.placement;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.autoscaler.admission.InstanceLoad;
import dev.weft.autoscaler.placement.Shortlist.Lack;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ShortlistTest {
  private final List<Spot> spots = new ArrayList<>();

  private Shortlist<Spot> list(int devices, int length, Lack lack) {
    for (int i = 0; i < devices; i++) {
      spots.add(new Spot("d" + i, i, 1 - i / (double) devices));
    }
    return new Shortlist<>(spots, lack, length, spot -> spot.roomBytes);
  }

  private List<String> names(List<Spot> some) {
    return some.stream().map(Spot::name).toList();
  }

  @Test
  void aShortPoolIsGivenWhole() {
    assertThat(list(4, 4, Lack.MEMORY).devices(1_000, 0)).containsExactlyElementsOf(spots);
  }

  @Test
  void theFullestThatHaveRoomComeFirstAndTheEmptiestLast() {
    assertThat(names(list(10_000, 4, Lack.MEMORY).devices(5_000, 1)))
        .containsExactly("d5000", "d5001", "d9999", "d9998");
  }

  @Test
  void theBusiestThatHaveTimeComeFirst() {
    assertThat(names(list(100, 4, Lack.TIME).devices(0, 0.5)))
        .containsExactly("d50", "d51", "d99", "d98");
  }

  @Test
  void changesAreSeen() {
    Shortlist<Spot> list = list(100, 4, Lack.MEMORY);
    Spot changed = spots.get(3);
    changed.roomBytes = 1_000;
    list.changed(changed);
    assertThat(names(list.devices(98, 1))).containsExactly("d98", "d99", "d3", "d97");
  }

  @Test
  void theEmptiestSayWhatIsMissingWhereNobodyHasRoom() {
    assertThat(names(list(100, 3, Lack.MEMORY).devices(1_000, 1)))
        .containsExactly("d99", "d98", "d97");
  }

  private static final class Spot implements ClusterLoad.Device {
    private final String name;
    private long roomBytes;
    private final double load;

    Spot(String name, long roomBytes, double load) {
      this.name = name;
      this.roomBytes = roomBytes;
      this.load = load;
    }

    @Override
    public List<? extends ClusterLoad.Instance> instances() {
      return List.of();
    }

    @Override
    public String name() {
      return name;
    }

    @Override
    public boolean empty() {
      return true;
    }

    @Override
    public double load() {
      return load;
    }

    @Override
    public long roomBytes() {
      return roomBytes;
    }

    @Override
    public long idleBytesBeside(InstanceLoad instance) {
      return 0;
    }

    @Override
    public boolean growsKv() {
      return true;
    }

    @Override
    public long freeAt() {
      return 0;
    }
  }
}
