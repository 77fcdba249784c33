package dev.weft.autoscaler.placement;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.autoscaler.placement.Routing.Joins;
import dev.weft.autoscaler.placement.Routing.Loads;
import dev.weft.autoscaler.placement.Routing.Nowhere;
import dev.weft.autoscaler.placement.Routing.Outcome;
import dev.weft.autoscaler.placement.Routing.Ready;
import dev.weft.autoscaler.placement.Routing.Reason;
import dev.weft.autoscaler.placement.Routing.Refusal;
import dev.weft.autoscaler.placement.Routing.Request;
import dev.weft.functions.DeviceClass;
import dev.weft.functions.FunctionName;
import dev.weft.functions.Quantization;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.AnInstance;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.InstanceStatus.Blocks;
import dev.weft.functions.instance.InstanceStatus.Failure;
import dev.weft.functions.instance.InstanceStatus.LoadProgress;
import dev.weft.functions.instance.Tier;
import dev.weft.functions.instance.Why;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class RoutingTest {
  private static final RevisionId MINE = new RevisionId(new FunctionName("mine"), 2);
  private static final RevisionId OLDER = new RevisionId(new FunctionName("mine"), 1);
  private static final Request ANY = request(MINE);

  @Test
  void prefersTheFullestBatchThatHasRoom() {
    assertThat(
            Routing.decide(
                ANY,
                List.of(
                    cpu("cpu-0", ready(MINE, 1, 0)),
                    cpu("cpu-1", ready(MINE, 5, 0)),
                    cpu("cpu-2", ready(MINE, 9, 3)))))
        .isEqualTo(
            new Ready(
                new DeviceId("cpu-1"),
                new Why(
                    "fullest_batch",
                    "the fullest batch with room, 5 running",
                    Map.of("running", 5.0, "waiting", 0.0))));
  }

  @Test
  void passesByABatchWhoseBlocksArePlanned() {
    Request request =
        new Request(MINE, Quantization.AUTO, EnumSet.allOf(DeviceClass.class), 33, 0, Set.of());
    List<DeviceStatus> devices =
        List.of(
            cpu("cpu-0", instance(MINE, Tier.READY, 5, 0, new Blocks(98, 50, 100, 16, 0))),
            cpu("cpu-1", instance(MINE, Tier.READY, 1, 0, new Blocks(97, 50, 100, 16, 0))));

    assertThat(device(Routing.decide(request, devices))).isEqualTo("cpu-1");
  }

  @Test
  void passesByADeviceWhoseMemoryIsAboutToEnd() {
    DeviceStatus ending = lasting(3_000L, cpu("cpu-0", ready(MINE, 8, 0)));

    assertThat(device(Routing.decide(ANY, List.of(ending, cpu("cpu-1", ready(MINE, 1, 0))))))
        .isEqualTo("cpu-1");
    assertThat(device(Routing.decide(ANY, List.of(ending, cpu("cpu-1", ready(MINE, 1, 4))))))
        .as("to wait is better there than here")
        .isEqualTo("cpu-1");
    assertThat(device(Routing.decide(ANY, List.of(ending))))
        .as("there is no other")
        .isEqualTo("cpu-0");
  }

  private static DeviceStatus lasting(long millis, DeviceStatus status) {
    DeviceStatus.Memory memory = status.memory();
    return new DeviceStatus(
        status.device(),
        status.deviceClass(),
        status.runtimeId(),
        status.version(),
        status.phase(),
        new DeviceStatus.Memory(
            memory.capacityBytes(),
            memory.plannedBytes(),
            memory.actualBytes(),
            memory.chunks(),
            millis),
        status.quantizations(),
        status.capabilities(),
        status.instances());
  }

  @Test
  void takesTheShortestQueueWhereNoneHasRoom() {
    assertThat(
            Routing.decide(
                ANY, List.of(cpu("cpu-0", ready(MINE, 8, 4)), cpu("cpu-1", ready(MINE, 8, 2)))))
        .isEqualTo(
            new Ready(
                new DeviceId("cpu-1"),
                new Why(
                    "shortest_queue",
                    "the shortest queue, 2 waiting",
                    Map.of("running", 8.0, "waiting", 2.0))));
  }

  @Test
  void joinsALoadUnderWay() {
    InstanceStatus loading = loading(MINE);
    assertThat(Routing.decide(ANY, List.of(cpu("cpu-0"), cpu("cpu-1", loading), cpu("cpu-2"))))
        .isEqualTo(new Joins(new DeviceId("cpu-1"), "a load is under way"));
  }

  @Test
  void doesNotTakeAnotherRevisionForThisOne() {
    assertThat(Routing.decide(ANY, List.of(cpu("cpu-0", ready(OLDER, 1, 0)))))
        .isInstanceOf(Loads.class);
  }

  @Test
  void loadsOnAProcessorBeforeAGraphicsCard() {
    assertThat(device(Routing.decide(ANY, List.of(gpu("gpu-0"), cpu("cpu-0"), gpu("gpu-1")))))
        .isEqualTo("cpu-0");
  }

  @Test
  void asksTheNextDeviceWhenOneHasRefused() {
    List<DeviceStatus> devices = List.of(cpu("cpu-0"), cpu("cpu-1"), cpu("cpu-2"));
    List<String> asked = new ArrayList<>();
    Request request = ANY;
    while (Routing.decide(request, devices) instanceof Loads(var device, _)) {
      asked.add(device.value());
      request = tried(request, device);
    }
    assertThat(asked).containsExactlyInAnyOrder("cpu-0", "cpu-1", "cpu-2");
    assertThat(Routing.decide(request, devices))
        .isInstanceOfSatisfying(
            Nowhere.class,
            nowhere ->
                assertThat(nowhere.refusals())
                    .hasSize(3)
                    .extracting(Refusal::reason)
                    .containsOnly(Reason.TRIED));
  }

  @Test
  void saysWhyNoDeviceCan() {
    Request request =
        new Request(MINE, Quantization.FP8, Set.of(DeviceClass.CPU), 0, 1L << 31, Set.of());
    DeviceStatus small =
        device("cpu-3", DeviceClass.CPU, DeviceStatus.Phase.READY, 1L << 30, Quantization.FP8);

    assertThat(
            Routing.decide(
                request,
                List.of(
                    gpu("gpu-0"),
                    cpu("cpu-1"),
                    device("cpu-2", DeviceClass.CPU, DeviceStatus.Phase.DRAINING, 1L << 34),
                    small)))
        .isEqualTo(
            new Nowhere(
                List.of(
                    new Refusal(
                        new DeviceId("gpu-0"),
                        Reason.DEVICE_CLASS,
                        "is a gpu, the function allows [cpu]"),
                    new Refusal(
                        new DeviceId("cpu-1"),
                        Reason.QUANTIZATION,
                        "cannot hold weights as fp8, only as [none, auto]"),
                    new Refusal(new DeviceId("cpu-2"), Reason.NOT_READY, "is draining"),
                    new Refusal(
                        new DeviceId("cpu-3"),
                        Reason.MEMORY,
                        "has 1.0 GiB, the function needs 2.0 GiB"))));
    assertThat(Routing.decide(ANY, List.of())).isEqualTo(new Nowhere(List.of()));
  }

  @Test
  void doesNotTryAgainWhereTheModelCannotBeLoaded() {
    InstanceStatus failed = failed(new Failure("unsupported", "no such family", true));
    assertThat(Routing.decide(ANY, List.of(cpu("cpu-0", failed))))
        .isEqualTo(
            new Nowhere(
                List.of(
                    new Refusal(
                        new DeviceId("cpu-0"),
                        Reason.FAILED,
                        "could not load it: no such family"))));
    InstanceStatus broken = failed(new Failure("download", "connection reset", false));
    assertThat(Routing.decide(ANY, List.of(cpu("cpu-0", broken)))).isInstanceOf(Loads.class);
  }

  @Test
  void asksAGpuAgainWhereTheProcessorIsTooSmall() {
    Request request =
        new Request(
            MINE, Quantization.AUTO, EnumSet.allOf(DeviceClass.class), 0, 1L << 33, Set.of());
    assertThat(
            device(
                Routing.decide(
                    request,
                    List.of(
                        device("cpu-0", DeviceClass.CPU, DeviceStatus.Phase.READY, 1L << 32),
                        gpu("gpu-0")))))
        .isEqualTo("gpu-0");
  }

  @Property
  void movesOnlyTheFunctionsOfTheDeviceThatGoes(
      @ForAll @IntRange(min = 2, max = 12) int deviceCount, @ForAll long seed) {
    List<DeviceStatus> devices =
        IntStream.range(0, deviceCount).mapToObj(i -> cpu("cpu-" + i)).toList();
    DeviceStatus gone = devices.get(new Random(seed).nextInt(deviceCount));
    List<DeviceStatus> left = devices.stream().filter(d -> !d.equals(gone)).toList();
    for (int i = 0; i < 40; i++) {
      Request request = request(new RevisionId(new FunctionName("f" + i), 1));
      String before = device(Routing.decide(request, devices));
      String after = device(Routing.decide(request, left));
      if (before.equals(gone.device().value())) {
        assertThat(after).isNotEqualTo(before);
      } else {
        assertThat(after).isEqualTo(before);
      }
    }
  }

  /// A new revision finds the files of the last one in the cache of the same machine.
  @Test
  void loadsEveryRevisionOfAFunctionOnTheSameDevice() {
    List<DeviceStatus> devices = IntStream.range(0, 9).mapToObj(i -> cpu("cpu-" + i)).toList();
    assertThat(device(Routing.decide(request(OLDER), devices)))
        .isEqualTo(device(Routing.decide(request(MINE), devices)));
  }

  @Property(tries = 200)
  void decidesTheSameForAnyOrderOfTheSnapshot(@ForAll long seed) {
    Random random = new Random(seed);
    List<DeviceStatus> devices =
        IntStream.range(0, 6)
            .mapToObj(i ->
                random.nextBoolean()
                    ? cpu("cpu-" + i)
                    : cpu("cpu-" + i, ready(MINE, random.nextInt(3), random.nextInt(3))))
            .toList();
    List<DeviceStatus> shuffled = new ArrayList<>(devices);
    Collections.shuffle(shuffled, random);
    assertThat(Routing.decide(ANY, shuffled)).isEqualTo(Routing.decide(ANY, devices));
  }

  private static String device(Outcome outcome) {
    return switch (outcome) {
      case Ready(var device, _) -> device.value();
      case Joins(var device, _) -> device.value();
      case Loads(var device, _) -> device.value();
      case Nowhere(var refusals) -> throw new AssertionError("nowhere: " + refusals);
    };
  }

  private static Request request(RevisionId revision) {
    return new Request(
        revision, Quantization.AUTO, EnumSet.allOf(DeviceClass.class), 0, 0, Set.of());
  }

  private static Request tried(Request request, DeviceId device) {
    Set<DeviceId> tried = new HashSet<>(request.tried());
    tried.add(device);
    return new Request(
        request.revision(),
        request.quantization(),
        request.devices(),
        request.estimatedTokens(),
        request.leastBytes(),
        tried);
  }

  private static DeviceStatus cpu(String id, InstanceStatus... instances) {
    return withInstances(
        device(id, DeviceClass.CPU, DeviceStatus.Phase.READY, 1L << 34), instances);
  }

  private static DeviceStatus gpu(String id) {
    return device(id, DeviceClass.GPU, DeviceStatus.Phase.READY, 1L << 36);
  }

  private static DeviceStatus device(
      String id,
      DeviceClass deviceClass,
      DeviceStatus.Phase phase,
      long capacityBytes,
      Quantization... more) {
    Set<Quantization> quantizations = EnumSet.of(Quantization.NONE, Quantization.AUTO);
    quantizations.addAll(Arrays.asList(more));
    return new DeviceStatus(
        new DeviceId(id),
        deviceClass,
        "runtime-" + id,
        1,
        phase,
        new DeviceStatus.Memory(capacityBytes, 0, 0, DeviceStatus.Chunks.NONE),
        quantizations,
        Set.of(),
        List.of());
  }

  private static DeviceStatus withInstances(DeviceStatus device, InstanceStatus... instances) {
    return new DeviceStatus(
        device.device(),
        device.deviceClass(),
        device.runtimeId(),
        device.version(),
        device.phase(),
        device.memory(),
        device.quantizations(),
        device.capabilities(),
        List.of(instances));
  }

  private static InstanceStatus ready(RevisionId revision, int running, int waiting) {
    return instance(revision, Tier.READY, running, waiting, new Blocks(0, 0, 100, 16, 0));
  }

  private static InstanceStatus instance(
      RevisionId revision, Tier tier, int running, int waiting, Blocks blocks) {
    return AnInstance.of(revision)
        .tier(tier)
        .requests(running, waiting)
        .weightBytes(1L << 20)
        .blocks(blocks)
        .loadCount(1)
        .status();
  }

  private static InstanceStatus loading(RevisionId revision) {
    return AnInstance.of(revision)
        .ofUnknownKind()
        .tier(Tier.REMOTE)
        .progress(new LoadProgress(LoadProgress.Phase.FETCHING, "model.gguf", 1, 2))
        .status();
  }

  private static InstanceStatus failed(Failure failure) {
    return AnInstance.of(MINE).ofUnknownKind().tier(Tier.DISK).failure(failure).status();
  }
}
