package dev.weft.platform.control;

import com.fasterxml.jackson.databind.ObjectMapper;
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
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.InstanceStatus.Blocks;
import dev.weft.functions.instance.Tier;
import dev.weft.platform.gateway.routing.InstancePicker;
import dev.weft.platform.gateway.routing.Target;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.Set;

/// What it costs to find a request's instance, and to admit it there, measured request by request
/// in one thread: arguments are devices, functions, requests to warm up with and requests to
/// measure; the answer is one JSON object with nanoseconds. Before each request one device
/// publishes, so that every request meets a snapshot that nobody has read.
public final class RoutingCost {
  private static final int SECOND_INSTANCE_EVERY = 10;
  private static final int SEED = 1;

  private final Fleet fleet = new Fleet();
  private final FunctionDirectory directory = new FunctionDirectory();
  private final InstancePicker picker = new InstancePicker(fleet);
  private final List<FunctionName> names = new ArrayList<>();
  private final List<DeviceStatus> statuses = new ArrayList<>();
  private final Random random = new Random(SEED);

  private RoutingCost(int devices, int functions) {
    List<DeployedFunction> deployed = new ArrayList<>();
    List<List<InstanceStatus>> instances = new ArrayList<>();
    for (int device = 0; device < devices; device++) {
      instances.add(new ArrayList<>());
    }
    for (int i = 0; i < functions; i++) {
      FunctionName name = new FunctionName("function-" + i);
      names.add(name);
      deployed.add(function(name));
      instances.get(i % devices).add(instance(name));
      if (i % SECOND_INSTANCE_EVERY == 0) {
        instances.get((i + 1) % devices).add(instance(name));
      }
    }
    directory.publish(deployed);
    for (int device = 0; device < devices; device++) {
      statuses.add(status(device, instances.get(device)));
      publish(device);
    }
  }

  public static void main(String... arguments) throws IOException {
    RoutingCost cost =
        new RoutingCost(Integer.parseInt(arguments[0]), Integer.parseInt(arguments[1]));
    cost.run(Integer.parseInt(arguments[2]));
    new ObjectMapper().writeValue(System.out, cost.run(Integer.parseInt(arguments[3])));
  }

  private Map<String, long[]> run(int requests) {
    long[] routing = new long[requests];
    long[] admission = new long[requests];
    long[] publishing = new long[requests];
    for (int i = 0; i < requests; i++) {
      int device = random.nextInt(statuses.size());
      long before = System.nanoTime();
      publish(device);
      publishing[i] = System.nanoTime() - before;
      FunctionName name = names.get(random.nextInt(names.size()));
      long start = System.nanoTime();
      Target target = route(name);
      long routed = System.nanoTime();
      int instances = instancesOf(target);
      long found = System.nanoTime();
      boolean admitted = AdmissionLoad.admits(instances, found);
      admission[i] = System.nanoTime() - found;
      routing[i] = routed - start;
      if (!admitted) {
        throw new IllegalStateException("the request for %s was not admitted".formatted(name));
      }
    }
    return Map.of("routing", routing, "admission", admission, "publishing", publishing);
  }

  /// As the gateway does it for a function that does not declare what its model does.
  private Target route(FunctionName name) {
    DeployedFunction function = directory.snapshot().find(name).orElseThrow();
    Optional<Model.Kind> kind =
        fleet.instancesOf(function.active().id()).stream()
            .map(placed -> placed.instance().kind())
            .filter(Objects::nonNull)
            .findFirst();
    if (kind.isEmpty()) {
      throw new IllegalStateException("nothing is known of " + name);
    }
    return picker.pick(function, Set.of()).orElseThrow();
  }

  private int instancesOf(Target target) {
    return fleet.instancesOf(target.revision()).getFirst().status().instances().size();
  }

  private void publish(int device) {
    fleet.update(statuses.get(device), new RuntimeAddress("127.0.0.1", 1 + device, "secret"));
  }

  private static DeployedFunction function(FunctionName name) {
    FunctionSpec spec =
        new FunctionSpec(
            new Model(null, List.of(ModelSource.of("file:///m")), null),
            null,
            Quantization.AUTO,
            KvCache.AUTO,
            ServiceLevel.DEFAULT,
            Scaling.DEFAULT,
            Set.of(),
            Limits.DEFAULT);
    Revision revision = new Revision(new RevisionId(name, 1), spec, Instant.EPOCH);
    return new DeployedFunction(name, Map.of(), 1, List.of(revision), Instant.EPOCH, Instant.EPOCH);
  }

  private static DeviceStatus status(int device, List<InstanceStatus> instances) {
    DeviceClass[] classes = DeviceClass.values();
    return new DeviceStatus(
        new DeviceId("device-" + device),
        classes[device % classes.length],
        "runtime",
        1,
        DeviceStatus.Phase.READY,
        new DeviceStatus.Memory(1L << 36, 0, 0, DeviceStatus.Chunks.NONE),
        Set.of(Quantization.AUTO),
        Set.of(),
        instances);
  }

  private InstanceStatus instance(FunctionName name) {
    return new InstanceStatus(
        new RevisionId(name, 1),
        Model.Kind.GENERATION,
        Tier.READY,
        false,
        random.nextInt(8),
        0,
        1L << 30,
        new Blocks(10, 10, 1_000, 16, 1),
        1,
        Instant.EPOCH,
        null,
        null,
        List.of(),
        0,
        null,
        null);
  }
}
