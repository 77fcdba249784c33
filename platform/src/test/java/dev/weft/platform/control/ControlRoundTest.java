package dev.weft.platform.control;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.DeviceClass;
import dev.weft.functions.FunctionName;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.KvCache;
import dev.weft.functions.Limits;
import dev.weft.functions.Model;
import dev.weft.functions.ModelSource;
import dev.weft.functions.Quantization;
import dev.weft.functions.Revision;
import dev.weft.functions.RevisionId;
import dev.weft.functions.Scaling;
import dev.weft.functions.ServiceLevel;
import dev.weft.functions.instance.AnInstance;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.InstanceStatus.LoadProgress;
import dev.weft.functions.instance.Tier;
import dev.weft.platform.control.ControlRound.Act;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// What one round of the control loop decides, for one device and one function.
class ControlRoundTest {
  private static final Instant NOW = Instant.parse("2026-01-01T00:00:00Z");
  private static final DeviceId DEVICE = new DeviceId("cpu-0");
  private static final DeviceId OTHER = new DeviceId("cpu-1");
  private static final FunctionName NAME = new FunctionName("f");

  private static final RuntimeAddress ADDRESS = new RuntimeAddress("127.0.0.1", 1, "s");

  private final List<InstanceStatus> instances = new ArrayList<>();
  private final Set<String> wishes = new HashSet<>();
  private int active = 1;
  private int min;
  private int max = 1;
  private final List<InstanceStatus> others = new ArrayList<>();
  private @Nullable Long kvLastsMillis;
  private @Nullable Long othersLastMillis;
  private double soon;
  private long plannedBytes;
  private final Map<FunctionName, Instant> heldSince = new HashMap<>();
  private int priority = 1;
  private int othersPriority = 1;
  private boolean twoDevices;
  private boolean exclusive;
  private boolean deployed = true;
  private boolean away;
  private List<DeployedFunction.Share> traffic = List.of();

  private List<Act> decide() {
    return new ControlRound(functions(), fleet(), new Asked(), exclusive, NOW).decide();
  }

  private FunctionDirectory.Snapshot functions() {
    FunctionSpec spec = spec(priority);
    FunctionSpec othersSpec = spec(othersPriority);

    List<Revision> revisions =
        List.of(new Revision(id(1), spec, NOW), new Revision(id(2), spec, NOW));
    Map<FunctionName, DeployedFunction> functions = new HashMap<>();
    if (deployed) {
      functions.put(
          NAME, new DeployedFunction(NAME, Map.of(), active, revisions, NOW, NOW, traffic));
    }
    for (FunctionName name : heldSince.keySet()) {
      List<Revision> only = List.of(new Revision(new RevisionId(name, 1), othersSpec, NOW));
      functions.put(name, new DeployedFunction(name, Map.of(), 1, only, NOW, NOW));
    }
    return new FunctionDirectory.Snapshot(1, functions);
  }

  private FunctionSpec spec(int counts) {
    return new FunctionSpec(
        new Model(Model.Kind.GENERATION, List.of(ModelSource.of("file:///m")), null),
        null,
        Quantization.AUTO,
        KvCache.AUTO,
        new ServiceLevel(Duration.ofSeconds(2), Duration.ofMillis(200), counts),
        new Scaling(min, Math.max(min, max), Duration.ofMinutes(5), Duration.ofSeconds(60)),
        Set.of(),
        Limits.DEFAULT);
  }

  private DeviceStatus status(DeviceId device, List<InstanceStatus> instances) {
    return status(device, instances, null);
  }

  private DeviceStatus status(
      DeviceId device, List<InstanceStatus> instances, @Nullable Long kvLastsMillis) {
    return new DeviceStatus(
        device,
        DeviceClass.CPU,
        "r1",
        1,
        DeviceStatus.Phase.READY,
        new DeviceStatus.Memory(1_000, plannedBytes, 0, DeviceStatus.Chunks.NONE, kvLastsMillis),
        Set.of(Quantization.AUTO),
        Set.of(),
        instances);
  }

  private Fleet.Snapshot fleet() {
    DeviceStatus status = status(DEVICE, instances, kvLastsMillis);
    RuntimeAddress address = away ? null : ADDRESS;
    Map<DeviceId, Fleet.Device> devices = new HashMap<>();
    devices.put(DEVICE, new Fleet.Device(DEVICE, status, address, away ? "gone" : null));
    if (twoDevices) {
      devices.put(
          OTHER, new Fleet.Device(OTHER, status(OTHER, others, othersLastMillis), ADDRESS, null));
    }
    return new Fleet.Snapshot(1, devices);
  }

  private final class Asked implements ControlRound.Wishes {
    @Override
    public boolean held(DeployedFunction function) {
      return wishes.contains("held");
    }

    @Override
    public boolean crowded(DeployedFunction function) {
      return wishes.contains("crowded");
    }

    @Override
    public double soon(DeployedFunction function, Duration ahead) {
      return soon;
    }

    @Override
    public boolean wanted(RevisionId revision) {
      return wishes.contains("wanted");
    }

    @Override
    public boolean underWay(RevisionId revision) {
      return wishes.contains("under way");
    }

    @Override
    public boolean blocked(RevisionId revision) {
      return wishes.contains("blocked");
    }

    @Override
    public boolean refuses(DeviceId device, RevisionId revision) {
      return wishes.contains(device + " refuses");
    }

    @Override
    public Instant heldSince(DeployedFunction function) {
      return heldSince.getOrDefault(function.name(), Instant.MAX);
    }

    @Override
    public boolean loadsOn(DeviceId device) {
      return wishes.contains("loads on " + device);
    }

    @Override
    public boolean displaced(RevisionId revision) {
      return wishes.contains("displaced");
    }
  }

  private static RevisionId id(int number) {
    return new RevisionId(NAME, number);
  }

  private void instance(int number, Tier tier, boolean pinned, int running, Duration idle) {
    instance(number, tier, pinned, running, idle, null);
  }

  private void instance(
      int number,
      Tier tier,
      boolean pinned,
      int running,
      Duration idle,
      @Nullable LoadProgress progress) {
    instances.add(
        AnInstance.of(id(number))
            .tier(tier)
            .pinned(pinned)
            .requests(running, 0)
            .weightBytes(100)
            .loadCount(1)
            .lastUsedAt(NOW.minus(idle))
            .progress(progress)
            .status());
  }

  private Act.Load loadOn(DeviceId device) {
    List<Act> acts = decide();
    assertThat(acts).hasSize(1);
    assertThat(acts.getFirst()).isInstanceOf(Act.Load.class);
    Act.Load load = (Act.Load) acts.getFirst();
    assertThat(load.device()).isEqualTo(device);
    return load;
  }

  @Test
  void whatIsCrowdedGetsAnotherInstanceOnAnotherDeviceUpToItsMost() {
    twoDevices = true;
    wishes.add("crowded");
    instance(1, Tier.READY, false, 3, Duration.ZERO);
    assertThat(decide()).as("one is its most").isEmpty();

    max = 2;
    assertThat(loadOn(OTHER).why().values()).isEqualTo(Map.of("instances", 1.0));
    twoDevices = false;
    assertThat(decide()).as("there is no other device").isEmpty();
    twoDevices = true;
    others.add(instances.getFirst());
    assertThat(decide()).as("it has its most").isEmpty();
  }

  @Test
  void aDeviceThatCanNeverLoadItIsPassedBy() {
    twoDevices = true;
    wishes.addAll(List.of("held", DEVICE + " refuses"));
    loadOn(OTHER);
    wishes.add(OTHER + " refuses");
    assertThat(decide()).isEmpty();
  }

  @Test
  void whatIsAboutToLackMemoryGetsAnotherInstanceWhereMemoryLasts() {
    twoDevices = true;
    max = 2;
    instance(1, Tier.READY, false, 3, Duration.ZERO);
    assertThat(decide()).isEmpty();

    kvLastsMillis = 2_500L;
    assertThat(loadOn(OTHER).why().values())
        .isEqualTo(Map.of("instances", 1.0, "kvLastsSeconds", 2.5));
    othersLastMillis = 4_000L;
    assertThat(decide()).as("it would be no better there").isEmpty();

    othersLastMillis = null;
    instances.clear();
    instance(1, Tier.READY, false, 0, Duration.ZERO);
    assertThat(decide()).as("it is others that lack memory").isEmpty();
  }

  @Test
  void nothingIsAddedWhileAnInstanceLoadsOrNobodyLacksRoom() {
    twoDevices = true;
    max = 2;
    instance(1, Tier.READY, false, 3, Duration.ZERO);
    assertThat(decide()).isEmpty();

    wishes.add("crowded");
    LoadProgress progress = new LoadProgress(LoadProgress.Phase.FETCHING, "", 1, 2);
    instance(1, Tier.DISK, false, 0, Duration.ZERO, progress);
    others.add(instances.removeLast());
    assertThat(decide()).isEmpty();
  }

  @Test
  void aMinimumOfTwoIsTwoDevicesOfWhichBothArePinnedAndAThirdWouldNotBe() {
    twoDevices = true;
    min = 2;
    instance(1, Tier.READY, true, 0, Duration.ofDays(1));
    assertThat(loadOn(OTHER).pinned()).isTrue();

    min = 1;
    max = 2;
    instance(1, Tier.READY, true, 0, Duration.ofHours(1));
    others.add(instances.removeLast());
    List<Act> acts = decide();
    assertThat(acts).hasSize(2);
    assertThat(acts.getFirst())
        .isInstanceOfSatisfying(
            Act.Pin.class,
            pin -> {
              assertThat(pin.device()).isEqualTo(OTHER);
              assertThat(pin.pinned()).isFalse();
            });
    assertThat(acts.getLast())
        .as("the one that is not of the minimum goes, though it was used later")
        .isInstanceOfSatisfying(
            Act.Unload.class, unload -> assertThat(unload.device()).isEqualTo(OTHER));
  }

  @Test
  void whatIsLikelyToBeCalledIsLoadedWhereThereIsRoom() {
    soon = 0.9;
    assertThat(decide()).as("nobody knows how large it is").isEmpty();
    instance(1, Tier.DISK, false, 0, Duration.ofHours(1));
    assertThat(decide())
        .singleElement()
        .isInstanceOfSatisfying(
            Act.Load.class,
            load -> {
              assertThat(load.why().code()).isEqualTo("foreseen");
              assertThat(load.why().values()).isEqualTo(Map.of("probability", 0.9));
            });

    plannedBytes = 901;
    assertThat(decide()).as("nobody has to go for a guess").isEmpty();
    wishes.add("held");
    assertThat(decide()).as("for a caller somebody may").hasSize(1);
    wishes.clear();
    plannedBytes = 0;
    soon = 0.4;
    assertThat(decide()).isEmpty();
  }

  private void canary() {
    traffic = List.of(new DeployedFunction.Share(1, 90), new DeployedFunction.Share(2, 10));
  }

  @Test
  void aCanaryIsLoadedOnceTheActiveRevisionAnswers() {
    canary();
    assertThat(decide()).as("nobody calls").isEmpty();
    wishes.add("held");
    assertThat(decide())
        .singleElement()
        .isInstanceOfSatisfying(
            Act.Load.class, load -> assertThat(load.revision().id()).isEqualTo(id(1)));
    wishes.clear();
    instance(1, Tier.READY, false, 1, Duration.ZERO);
    assertThat(decide())
        .singleElement()
        .isInstanceOfSatisfying(
            Act.Load.class,
            load -> {
              assertThat(load.revision().id()).isEqualTo(id(2));
              assertThat(load.why().code()).isEqualTo("share");
            });
    instance(2, Tier.READY, false, 0, Duration.ZERO);
    assertThat(decide()).isEmpty();
  }

  @Test
  void aCanaryStaysAsLongAsTheActiveRevisionIsCalled() {
    canary();
    instance(1, Tier.READY, false, 0, Duration.ofMinutes(1));
    instance(2, Tier.READY, false, 0, Duration.ofMinutes(30));
    assertThat(decide()).isEmpty();
    traffic = List.of();
    assertThat(decide())
        .as("without a share it is an old revision")
        .singleElement()
        .isInstanceOfSatisfying(
            Act.Unload.class, unload -> assertThat(unload.revision()).isEqualTo(id(2)));
  }

  @Test
  void aCanaryGoesWithTheActiveRevision() {
    canary();
    instance(1, Tier.READY, false, 0, Duration.ofMinutes(6));
    instance(2, Tier.READY, false, 0, Duration.ofMinutes(30));
    assertThat(decide()).hasSize(2).allMatch(Act.Unload.class::isInstance);
  }

  @Test
  void whatIsLikelyToBeCalledStays() {
    instance(1, Tier.READY, false, 0, Duration.ofMinutes(6));
    soon = 0.9;
    assertThat(decide()).isEmpty();
    soon = 0.1;
    assertThat(decide()).singleElement().isInstanceOf(Act.Unload.class);
  }

  @Test
  void aDeviceThatCanBeEmptiedIs() {
    twoDevices = true;
    max = 2;
    instance(1, Tier.READY, false, 2, Duration.ZERO);
    instance(1, Tier.READY, false, 0, Duration.ofMinutes(1));
    others.add(instances.removeLast());
    assertThat(decide())
        .singleElement()
        .isInstanceOfSatisfying(
            Act.Unload.class,
            unload -> {
              assertThat(unload.device()).isEqualTo(OTHER);
              assertThat(unload.why().code()).isEqualTo("device_emptied");
              assertThat(unload.must()).isFalse();
            });
  }

  @Test
  void nothingIsLoadedThatNobodyAskedFor() {
    assertThat(decide()).isEmpty();
  }

  @Test
  void heldRequestsLoadOnceAndOnlyWhereADeviceIs() {
    wishes.add("held");
    assertThat(decide())
        .singleElement()
        .isInstanceOfSatisfying(
            Act.Load.class,
            load -> {
              assertThat(load.revision().id()).isEqualTo(id(1));
              assertThat(load.pinned()).isFalse();
            });
    wishes.add("under way");
    assertThat(decide()).isEmpty();
    wishes.remove("under way");
    wishes.add("blocked");
    assertThat(decide()).isEmpty();
    wishes.remove("blocked");
    away = true;
    assertThat(decide()).isEmpty();
  }

  @Test
  void loadUnderWayAtTheRuntimeIsNotAskedForAgain() {
    wishes.add("held");
    LoadProgress progress = new LoadProgress(LoadProgress.Phase.FETCHING, "", 1, 2);
    instance(1, Tier.DISK, false, 0, Duration.ZERO, progress);
    assertThat(decide()).isEmpty();
  }

  @Test
  void pinnedFunctionIsLoadedPinnedAndStaysHoweverLongItIdles() {
    min = 1;
    assertThat(decide())
        .singleElement()
        .isInstanceOfSatisfying(Act.Load.class, load -> assertThat(load.pinned()).isTrue());
    instance(1, Tier.READY, true, 0, Duration.ofDays(1));
    assertThat(decide()).isEmpty();
  }

  @Test
  void idleInstanceGoesUnlessSomebodyWaits() {
    instance(1, Tier.READY, false, 0, Duration.ofMinutes(6));
    assertThat(decide()).singleElement().isInstanceOf(Act.Unload.class);
    wishes.add("held");
    assertThat(decide()).isEmpty();
  }

  @Test
  void newRevisionIsLoadedBesideTheOldOneWhichGoesOnceItServes() {
    active = 2;
    instance(1, Tier.READY, false, 0, Duration.ZERO);
    assertThat(decide())
        .singleElement()
        .isInstanceOfSatisfying(
            Act.Load.class, load -> assertThat(load.revision().id()).isEqualTo(id(2)));
    instance(2, Tier.READY, false, 0, Duration.ZERO);
    assertThat(decide())
        .singleElement()
        .isInstanceOfSatisfying(
            Act.Unload.class, unload -> assertThat(unload.revision()).isEqualTo(id(1)));
  }

  @Test
  void revisionThatIsNoLongerActiveIsUnpinned() {
    active = 2;
    min = 1;
    instance(1, Tier.READY, true, 1, Duration.ZERO);
    instance(2, Tier.READY, true, 0, Duration.ZERO);
    assertThat(decide())
        .singleElement()
        .isInstanceOfSatisfying(
            Act.Pin.class,
            pin -> {
              assertThat(pin.revision().id()).isEqualTo(id(1));
              assertThat(pin.pinned()).isFalse();
            });
  }

  @Test
  void whatADrainedDeviceServesIsLoadedElsewhereAndGoes() {
    instance(1, Tier.READY, false, 1, Duration.ZERO);
    List<InstanceStatus> busy = List.copyOf(instances);
    RuntimeAddress address = new RuntimeAddress("127.0.0.1", 1, "s");
    DeviceId other = new DeviceId("cpu-1");
    Fleet fleet = new Fleet();
    fleet.update(status(DEVICE, busy), address);
    fleet.update(status(other, List.of()), address);
    assertThat(decide(fleet)).isEmpty();

    assertThat(fleet.drain(new DeviceId("cpu-9"), true)).isFalse();
    assertThat(fleet.drain(DEVICE, true)).isTrue();
    assertThat(decide(fleet))
        .satisfiesExactly(
            act ->
                assertThat(act)
                    .isInstanceOfSatisfying(
                        Act.Load.class, load -> assertThat(load.device()).isEqualTo(other)),
            act ->
                assertThat(act)
                    .isInstanceOfSatisfying(
                        Act.Unload.class,
                        unload -> {
                          assertThat(unload.device()).isEqualTo(DEVICE);
                          assertThat(unload.must()).isTrue();
                        }));

    fleet.update(status(DEVICE, List.of()), address);
    wishes.add("held");
    assertThat(decide(fleet))
        .as("nothing new goes there, though it is the function's place")
        .singleElement()
        .isInstanceOfSatisfying(Act.Load.class, load -> assertThat(load.device()).isEqualTo(other));

    fleet.away(DEVICE, "restarting");
    fleet.update(status(DEVICE, busy), address);
    fleet.update(status(other, List.of()), address);
    assertThat(decide(fleet)).as("a new runtime is drained too").hasSize(2);
    fleet.drain(DEVICE, false);
    assertThat(decide(fleet)).isEmpty();
  }

  private List<Act> decide(Fleet fleet) {
    return new ControlRound(functions(), fleet.snapshot(), new Asked(), exclusive, NOW).decide();
  }

  /// A device that serves one model at a time has another's instance, which idles or does not.
  private void deviceOfItsOwn(DeviceId device, int running, Duration idle) {
    var instance =
        AnInstance.of(new RevisionId(new FunctionName("of-" + device), 1))
            .requests(running, 0)
            .lastUsedAt(NOW.minus(idle))
            .status();
    (device.equals(DEVICE) ? instances : others).add(instance);
    heldSince.put(instance.revision().function(), Instant.MAX);
  }

  @Test
  void whoIsAloneOnADeviceTakesTheOneThatIdledLongest() {
    exclusive = true;
    twoDevices = true;
    heldSince.put(NAME, NOW);
    wishes.add("held");
    deviceOfItsOwn(DEVICE, 0, Duration.ofSeconds(1));
    deviceOfItsOwn(OTHER, 0, Duration.ofSeconds(2));

    assertThat(decide())
        .singleElement()
        .isInstanceOfSatisfying(
            Act.Swap.class,
            swap -> {
              assertThat(swap.load().revision().id()).isEqualTo(id(1));
              assertThat(swap.load().device()).isEqualTo(OTHER);
              assertThat(swap.leave()).containsExactly(others.getFirst().revision());
            });

    wishes.add("loads on " + OTHER);
    assertThat(decide())
        .as("a load was asked for there")
        .singleElement()
        .isInstanceOfSatisfying(
            Act.Swap.class, swap -> assertThat(swap.load().device()).isEqualTo(DEVICE));
    heldSince.remove(others.removeFirst().revision().function());
    wishes.remove("loads on " + OTHER);
    assertThat(loadOn(OTHER).why().code()).as("an empty one comes first").isEqualTo("held");
  }

  @Test
  void whoIsAloneOnADeviceWaitsWhileAllAreBusy() {
    exclusive = true;
    twoDevices = true;
    heldSince.put(NAME, NOW);
    wishes.add("held");
    deviceOfItsOwn(DEVICE, 1, Duration.ZERO);
    deviceOfItsOwn(OTHER, 2, Duration.ZERO);
    assertThat(decide()).isEmpty();

    exclusive = false;
    assertThat(decide()).as("devices are shared otherwise").hasSize(1);
  }

  /// Another function's instance on a device.
  private void neighbour(DeviceId device, String name, int running) {
    var instance =
        AnInstance.of(new RevisionId(new FunctionName(name), 1))
            .weightBytes(500)
            .requests(running, 0)
            .lastUsedAt(NOW)
            .status();
    (device.equals(DEVICE) ? instances : others).add(instance);
    heldSince.put(instance.revision().function(), Instant.MAX);
  }

  /// The devices have 1,000 bytes each, and the function needs 600 that are free nowhere.
  private void heldWithoutRoom() {
    twoDevices = true;
    plannedBytes = 900;
    wishes.add("held");
    for (List<InstanceStatus> device : List.of(instances, others)) {
      device.add(AnInstance.of(id(1)).tier(Tier.DISK).weightBytes(600).status());
    }
  }

  @Test
  void aModelGoesWhereItFitsBesideWhatIsBusy() {
    heldWithoutRoom();
    neighbour(DEVICE, "busy", 1);
    neighbour(OTHER, "idle", 0);
    assertThat(decide())
        .as("what idles makes room by itself")
        .anySatisfy(act ->
            assertThat(act)
                .isInstanceOfSatisfying(
                    Act.Load.class, load -> assertThat(load.device()).isEqualTo(OTHER)));
    instances.clear();
    others.clear();
    heldWithoutRoom();
    neighbour(OTHER, "busy", 1);
    neighbour(DEVICE, "idle", 0);
    assertThat(decide())
        .anySatisfy(act ->
            assertThat(act)
                .isInstanceOfSatisfying(
                    Act.Load.class, load -> assertThat(load.device()).isEqualTo(DEVICE)));
  }

  @Test
  void aBusyInstanceThatAnotherDeviceHasTooGoesForWhoWaits() {
    heldWithoutRoom();
    neighbour(DEVICE, "alone", 1);
    neighbour(OTHER, "twice", 4);
    assertThat(decide())
        .as("of the same priority, and nowhere else: its runtime says no")
        .singleElement()
        .isInstanceOf(Act.Load.class);

    neighbour(DEVICE, "twice", 1);
    assertThat(decide())
        .singleElement()
        .isInstanceOfSatisfying(
            Act.Swap.class,
            swap -> {
              assertThat(swap.busy()).isTrue();
              assertThat(swap.load().device()).as("where fewer are displaced").isEqualTo(DEVICE);
              assertThat(swap.leave())
                  .extracting(RevisionId::function)
                  .containsExactly(new FunctionName("twice"));
            });
    wishes.add("displaced");
    assertThat(decide())
        .as("what was displaced may not have given all back yet")
        .singleElement()
        .isInstanceOf(Act.Load.class);
  }

  @Test
  void nobodyIsDisplacedForAFunctionThatServesOrForOneOfAHigherPriority() {
    heldWithoutRoom();
    neighbour(DEVICE, "low", 1);
    neighbour(OTHER, "lower", 1);
    priority = 2;
    assertThat(decide()).singleElement().isInstanceOf(Act.Swap.class);
    othersPriority = 3;
    assertThat(decide()).singleElement().isInstanceOf(Act.Load.class);
    othersPriority = 1;
    wishes.clear();
    wishes.add("wanted");
    assertThat(decide()).as("nobody waits").singleElement().isInstanceOf(Act.Load.class);
  }

  @Test
  void whoWaitedLongestGetsTheDevice() {
    exclusive = true;
    deployed = false;
    wishes.add("held");
    heldSince.put(new FunctionName("a"), NOW.minusSeconds(1));
    heldSince.put(new FunctionName("b"), NOW.minusSeconds(3));
    heldSince.put(new FunctionName("c"), NOW.minusSeconds(2));

    assertThat(loadOn(DEVICE).revision().id().function().value()).isEqualTo("b");
  }

  @Test
  void instanceOfADeletedFunctionGoes() {
    deployed = false;
    instance(1, Tier.READY, true, 1, Duration.ZERO);
    assertThat(decide())
        .singleElement()
        .isInstanceOfSatisfying(Act.Unload.class, unload -> assertThat(unload.must()).isTrue());
  }
}
