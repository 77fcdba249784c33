package dev.weft.autoscaler.placement;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.autoscaler.admission.InstanceLoad;
import dev.weft.autoscaler.admission.ShadowValidation;
import dev.weft.autoscaler.admission.ShadowValidation.Code;
import dev.weft.autoscaler.admission.TestInstance;
import dev.weft.autoscaler.memory.KvWatermark;
import dev.weft.autoscaler.placement.Placement.Creates;
import dev.weft.autoscaler.placement.Placement.Joins;
import dev.weft.autoscaler.placement.Placement.Nowhere;
import dev.weft.autoscaler.placement.Placement.Outcome;
import dev.weft.autoscaler.placement.Placement.Preempts;
import dev.weft.autoscaler.placement.Placement.Request;
import dev.weft.autoscaler.placement.Placement.Rules;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class PlacementTest {
  private static final Rules RULES =
      new Rules(
          new ShadowValidation.Rules(new KvWatermark(0.25, 100), true, true), true, true, true);

  private final Devices cluster = new Devices();

  private Outcome decide() {
    return decide(RULES);
  }

  private Outcome decide(Rules rules) {
    return Placement.decide(
        new Request(new ShadowValidation.Request(10, 50, 100_000), 0, 0, false), cluster, rules, 0);
  }

  @Test
  void joinsTheLargestBatchThatHasRoom() {
    cluster.device("a", 1_000).own(2);
    Placed large = cluster.device("b", 1_000).own(4);
    cluster.device("c", 1_000).own(9).running(10);
    assertThat(decide())
        .isInstanceOfSatisfying(Joins.class, joins -> assertThat(joins.instance()).isSameAs(large));
  }

  @Test
  void pushesOutTheSmallestNeighbourThatFreesEnough() {
    Site site = cluster.device("a", 1_000);
    Placed own = site.own(4).size(400, 380);
    site.other(1).size(20, 0);
    Placed enough = site.other(2).size(250, 0);
    site.other(3).size(330, 0);
    assertThat(decide())
        .isInstanceOfSatisfying(
            Preempts.class,
            preempts -> {
              assertThat(preempts.instance()).isSameAs(own);
              assertThat(preempts.victims()).containsExactly(enough);
            });
  }

  @Test
  void neitherLargerNorProtectedNeighboursArePushedOut() {
    Site site = cluster.device("a", 1_000);
    site.own(2).size(400, 380);
    site.other(3).size(200, 0);
    site.other(1).size(200, 0).spared = true;
    site.other(1).size(200, 0).priority = 1;
    assertThat(decide()).isInstanceOf(Nowhere.class);
  }

  @Test
  void aNewInstanceGoesToTheFullestDeviceOfTheFirstPoolThatHasRoom() {
    cluster.device("empty", 1_000);
    cluster.device("little", 1_000).other(1).size(100, 0);
    cluster.device("fuller", 1_000).other(1).size(300, 0);
    cluster.device("full", 1_000).other(1).size(900, 0);
    cluster.nextPool();
    cluster.device("second", 1_000);
    assertThat(decide())
        .isInstanceOfSatisfying(
            Creates.class, creates -> assertThat(creates.device().name()).isEqualTo("fuller"));
  }

  @Test
  void weightsThatAreNearComeFirst() {
    cluster.device("fuller", 1_000).other(1).size(300, 0);
    cluster.device("near", 1_000).loadNanos = 5;
    assertThat(decide())
        .isInstanceOfSatisfying(
            Creates.class, creates -> assertThat(creates.device().name()).isEqualTo("near"));
  }

  @Test
  void theLongestIdleMakeRoomAndNoMoreThanAreNeeded() {
    Site site = cluster.device("a", 1_000);
    site.other(0).size(100, 0).idleSince = 7;
    Placed older = site.other(0).size(400, 0);
    older.idleSince = 5;
    site.other(1).size(400, 0);
    assertThat(decide())
        .isInstanceOfSatisfying(
            Creates.class, creates -> assertThat(creates.idleVictims()).containsExactly(older));
  }

  @Test
  void ofTheIdleTheLeastLikelyToBeCalledSoonMakesRoom() {
    Site site = cluster.device("a", 1_000);
    Placed likely = site.other(0).size(450, 0);
    likely.idleSince = 5;
    likely.soon = 0.9;
    Placed unlikely = site.other(0).size(450, 0);
    unlikely.idleSince = 7;
    unlikely.soon = 0.1;
    assertThat(decide())
        .isInstanceOfSatisfying(
            Creates.class,
            creates -> {
              assertThat(creates.idleVictims()).containsExactly(unlikely);
              assertThat(creates.displaces()).isFalse();
            });
  }

  @Test
  void theNextPoolIsTriedWhenTheFirstCannot() {
    cluster.device("cannot", 1_000).capable = false;
    cluster.nextPool();
    cluster.device("second", 1_000);
    assertThat(decide()).isInstanceOf(Creates.class);
  }

  @Test
  void nowhereTellsWhatStoodAgainstIt() {
    cluster.device("a", 200);
    cluster.device("b", 1_000).own(4).running(10);
    assertThat(decide())
        .isInstanceOfSatisfying(
            Nowhere.class,
            nowhere ->
                assertThat(nowhere.against())
                    .containsEntry(Code.MEMORY, 1)
                    .containsEntry(Code.DECODE_SHARE, 2));
  }

  @Test
  void whoGotMoreIsDisplacedForWhoIsOwed() {
    Site site = cluster.device("a", 1_000);
    site.other(3).size(400, 0).got = 50;
    Placed smallest = site.other(1).size(400, 0);
    smallest.got = 12.1;
    site.other(1).size(150, 0).got = 50;
    site.other(1).size(50, 0).spared = true;
    var demand = new ShadowValidation.Request(10, 50, 100_000);
    assertThat(Placement.decide(new Request(demand, 0, 10, false), cluster, RULES, 0))
        .isInstanceOf(Nowhere.class);
    assertThat(Placement.decide(new Request(demand, 0, 10, true), cluster, RULES, 0))
        .isInstanceOfSatisfying(
            Creates.class,
            creates -> {
              assertThat(creates.displaces()).isTrue();
              assertThat(creates.idleVictims()).containsExactly(smallest);
            });
    assertThat(Placement.decide(new Request(demand, 0, 60, true), cluster, RULES, 0))
        .as("who got more than the others is not owed theirs")
        .isInstanceOf(Nowhere.class);
    assertThat(Placement.decide(new Request(demand, -1, 10, true), cluster, RULES, 0))
        .as("a higher priority stays")
        .isInstanceOf(Nowhere.class);
    site.lacksTime = true;
    assertThat(Placement.decide(new Request(demand, 0, 10, true), cluster, RULES, 0))
        .isInstanceOf(Nowhere.class);
  }

  @Test
  void mechanismsCanBeSwitchedOff() {
    Site site = cluster.device("a", 1_000);
    site.own(4).size(400, 380);
    site.other(2).size(600, 0);
    Rules none = new Rules(RULES.validation(), false, false, false);
    cluster.device("b", 1_000).other(1).size(100, 0);
    assertThat(decide(none)).isInstanceOf(Nowhere.class);
    cluster.device("c", 1_000);
    assertThat(decide(none))
        .isInstanceOfSatisfying(
            Creates.class, creates -> assertThat(creates.device().name()).isEqualTo("c"));
  }

  /// Devices on which the function's weights take 300 bytes.
  private static final class Devices implements ClusterLoad {
    private final List<List<Site>> pools = new ArrayList<>(List.of(new ArrayList<>()));
    private final List<Placed> own = new ArrayList<>();

    Site device(String name, long capacity) {
      Site site = new Site(name, capacity, own);
      pools.getLast().add(site);
      return site;
    }

    void nextPool() {
      pools.add(new ArrayList<>());
    }

    @Override
    public List<Placed> instances() {
      return own;
    }

    @Override
    public List<List<Site>> pools() {
      return pools;
    }

    @Override
    public Optional<NewInstance> fresh(Device device) {
      Site site = (Site) device;
      return site.capable ? Optional.of(new NewInstance(site.loadNanos)) : Optional.empty();
    }
  }

  private static final class NewInstance extends TestInstance implements ClusterLoad.Fresh {
    private final long loadNanos;

    NewInstance(long loadNanos) {
      this.loadNanos = loadNanos;
      weighing(300);
    }

    @Override
    public long loadNanos() {
      return loadNanos;
    }
  }

  private static final class Site implements ClusterLoad.Device {
    private final String name;
    private final long capacity;
    private final List<Placed> own;
    private final List<Placed> instances = new ArrayList<>();
    private boolean capable = true;
    private boolean lacksTime;
    private long loadNanos = 10;

    Site(String name, long capacity, List<Placed> own) {
      this.name = name;
      this.capacity = capacity;
      this.own = own;
    }

    /// An instance of the function itself, with room for more.
    Placed own(int batch) {
      Placed placed = other(batch).size(200, 0);
      own.add(placed);
      return placed;
    }

    Placed other(int batch) {
      Placed placed = new Placed(this);
      placed.running(batch);
      instances.add(placed);
      return placed;
    }

    @Override
    public List<Placed> instances() {
      return instances;
    }

    @Override
    public String name() {
      return name;
    }

    @Override
    public boolean empty() {
      return instances.stream().allMatch(instance -> instance.idleSince < Long.MAX_VALUE);
    }

    @Override
    public boolean lacksTime() {
      return lacksTime;
    }

    @Override
    public double load() {
      return (double) (capacity - roomBytes()) / capacity;
    }

    @Override
    public long roomBytes() {
      return capacity - instances.stream().mapToLong(Placed::plannedBytes).sum();
    }

    @Override
    public long idleBytesBeside(InstanceLoad instance) {
      return instances.stream()
          .filter(other -> !other.equals(instance) && other.idleSince < Long.MAX_VALUE)
          .mapToLong(Placed::plannedBytes)
          .sum();
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

  private static final class Placed extends TestInstance implements ClusterLoad.Instance {
    private final Site site;
    private boolean spared;
    private int priority;
    private double got;
    private double soon;
    private long idleSince = Long.MAX_VALUE;

    Placed(Site site) {
      this.site = site;
    }

    Placed size(long held, long needed) {
      holding(held);
      needing(needed);
      return this;
    }

    @Override
    public ClusterLoad.Device device() {
      return site;
    }

    @Override
    public long plannedBytes() {
      return plannedTokens();
    }

    @Override
    public int priority() {
      return priority;
    }

    @Override
    public double soon() {
      return soon;
    }

    @Override
    public double got() {
      return got;
    }

    @Override
    public boolean preemptible() {
      return !spared;
    }

    @Override
    public long idleSince() {
      return idleSince;
    }
  }
}
