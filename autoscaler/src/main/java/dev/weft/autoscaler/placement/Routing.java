package dev.weft.autoscaler.placement;

import dev.weft.functions.ByteSize;
import dev.weft.functions.DeviceClass;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.Quantization;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.Tier;
import dev.weft.functions.instance.Why;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/// Which device answers a request, decided on the latest snapshot of each.
///
/// 1. A ready instance that can take the request at once, where memory lasts for what runs; of
///    several the one with the fullest batch, so that others empty and can go.
/// 2. Else a ready instance with the shortest queue, where memory lasts before where it does not.
/// 3. Else a device that is loading the revision already.
/// 4. Else, among the devices that may load it, processors before graphics cards, the one that
///    rendezvous hashing of the function's name gives.
///
/// The runtime has the last word. When it refuses, ask again with that device in `tried`.
public final class Routing {
  private static final Comparator<Warm> FULLEST_BATCH =
      Comparator.comparingInt((Warm warm) -> warm.instance().runningRequests()).reversed();
  private static final Comparator<Warm> SHORTEST_QUEUE =
      Comparator.comparing(Warm::memoryLasts)
          .reversed()
          .thenComparingInt(warm -> warm.instance().waitingRequests());
  private static final Comparator<Warm> BY_ID = Comparator.comparing(warm -> warm.device().value());

  private Routing() {}

  public static Outcome decide(Request request, List<DeviceStatus> devices) {
    List<Refusal> refusals = new ArrayList<>();
    List<DeviceStatus> eligible = new ArrayList<>();
    for (DeviceStatus device : devices) {
      refuse(request, device).ifPresentOrElse(refusals::add, () -> eligible.add(device));
    }
    return warm(request, eligible)
        .or(() -> loading(request, eligible))
        .or(() -> cold(request, eligible, refusals))
        .orElseGet(() -> new Nowhere(refusals));
  }

  private static Optional<Refusal> refuse(Request request, DeviceStatus device) {
    DeviceId id = device.device();
    if (request.tried().contains(id)) {
      return Optional.of(new Refusal(id, Reason.TRIED, "has refused this request"));
    }
    if (device.phase() != DeviceStatus.Phase.READY) {
      return Optional.of(new Refusal(id, Reason.NOT_READY, "is " + lowerCase(device.phase())));
    }
    if (!request.devices().contains(device.deviceClass())) {
      return Optional.of(
          new Refusal(
              id,
              Reason.DEVICE_CLASS,
              "is a %s, the function allows %s"
                  .formatted(
                      lowerCase(device.deviceClass()),
                      request.devices().stream().sorted().map(Routing::lowerCase).toList())));
    }
    if (request.quantization() != Quantization.AUTO
        && !device.quantizations().contains(request.quantization())) {
      return Optional.of(
          new Refusal(
              id,
              Reason.QUANTIZATION,
              "cannot hold weights as %s, only as %s"
                  .formatted(
                      lowerCase(request.quantization()),
                      device.quantizations().stream().sorted().map(Routing::lowerCase).toList())));
    }
    return instances(request, List.of(device))
        .map(loaded -> loaded.instance().failure())
        .filter(failure -> failure != null && failure.permanent())
        .map(failure -> new Refusal(id, Reason.FAILED, "could not load it: " + failure.message()))
        .findFirst();
  }

  private static Optional<Outcome> warm(Request request, List<DeviceStatus> devices) {
    List<Warm> ready =
        instances(request, devices).filter(warm -> warm.instance().tier() == Tier.READY).toList();
    Optional<Outcome> runsAtOnce =
        ready.stream()
            .filter(warm -> warm.memoryLasts() && hasRoom(request, warm.instance()))
            .min(FULLEST_BATCH.thenComparing(BY_ID))
            .map(warm ->
                new Ready(
                    warm.device(),
                    new Why(
                        "fullest_batch",
                        "the fullest batch with room, %d running"
                            .formatted(warm.instance().runningRequests()),
                        warm.load())));
    return runsAtOnce.or(() ->
        ready.stream()
            .min(SHORTEST_QUEUE.thenComparing(FULLEST_BATCH).thenComparing(BY_ID))
            .map(warm ->
                new Ready(
                    warm.device(),
                    new Why(
                        "shortest_queue",
                        "the shortest queue, %d waiting"
                            .formatted(warm.instance().waitingRequests()),
                        warm.load()))));
  }

  private static boolean hasRoom(Request request, InstanceStatus instance) {
    InstanceStatus.Blocks blocks = instance.blocks();
    long needed =
        blocks.tokensPerBlock() == 0
            ? 0
            : Math.ceilDiv(request.estimatedTokens(), blocks.tokensPerBlock());
    return instance.waitingRequests() == 0 && needed <= blocks.capacity() - blocks.planned();
  }

  private static Optional<Outcome> loading(Request request, List<DeviceStatus> devices) {
    return instances(request, devices)
        .filter(warm -> warm.instance().loading())
        .min(BY_ID)
        .map(warm -> new Joins(warm.device(), "a load is under way"));
  }

  private static Optional<Outcome> cold(
      Request request, List<DeviceStatus> devices, List<Refusal> refusals) {
    List<DeviceStatus> large = new ArrayList<>();
    for (DeviceStatus device : devices) {
      if (device.memory().capacityBytes() >= request.leastBytes()) {
        large.add(device);
      } else {
        refusals.add(
            new Refusal(
                device.device(),
                Reason.MEMORY,
                "has %s, the function needs %s"
                    .formatted(
                        ByteSize.format(device.memory().capacityBytes()),
                        ByteSize.format(request.leastBytes()))));
      }
    }
    return large.stream()
        .map(DeviceStatus::deviceClass)
        .min(Comparator.naturalOrder())
        .map(first ->
            Rendezvous.order(
                    request.revision().function().value(),
                    large.stream()
                        .filter(device -> device.deviceClass() == first)
                        .map(DeviceStatus::device)
                        .toList())
                .getFirst())
        .map(device ->
            new Loads(device, "no device has it; its place among %d".formatted(large.size())));
  }

  private static Stream<Warm> instances(Request request, List<DeviceStatus> devices) {
    return devices.stream()
        .flatMap(device ->
            device.instances().stream()
                .filter(instance -> instance.revision().equals(request.revision()))
                .map(instance -> new Warm(device.device(), device.memory().lasts(), instance)));
  }

  private static String lowerCase(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }

  private record Warm(DeviceId device, boolean memoryLasts, InstanceStatus instance) {
    Map<String, Double> load() {
      return Map.of(
          "running", (double) instance.runningRequests(),
          "waiting", (double) instance.waitingRequests());
    }
  }

  /// What is asked for.
  ///
  /// @param quantization how the function wants its weights held
  /// @param devices the kinds of device that it allows
  /// @param estimatedTokens prompt and answer, as far as is known; 0 when nothing is
  /// @param leastBytes what an instance needs at least; 0 while unknown
  /// @param tried devices that have refused this request
  public record Request(
      RevisionId revision,
      Quantization quantization,
      Set<DeviceClass> devices,
      long estimatedTokens,
      long leastBytes,
      Set<DeviceId> tried) {
    public Request {
      devices = Set.copyOf(devices);
      tried = Set.copyOf(tried);
    }

    /// A request for a revision with nothing more known.
    public static Request of(RevisionId revision, FunctionSpec spec) {
      return new Request(revision, spec.quantization(), spec.devices(), 0, 0, Set.of());
    }
  }

  /// What was decided.
  public sealed interface Outcome {}

  /// An instance there is ready.
  public record Ready(DeviceId device, Why why) implements Outcome {}

  /// An instance there is being loaded.
  public record Joins(DeviceId device, String reason) implements Outcome {}

  /// None is loaded; that device should load one.
  public record Loads(DeviceId device, String reason) implements Outcome {}

  /// No device can; for each, why not.
  public record Nowhere(List<Refusal> refusals) implements Outcome {
    public Nowhere {
      refusals = List.copyOf(refusals);
    }
  }

  /// Why a device is out of the question.
  public record Refusal(DeviceId device, Reason reason, String detail) {}

  /// Kinds of refusal. `NOT_READY` and `TRIED` pass; the others do not while the function stays as
  /// it is.
  public enum Reason {
    TRIED,
    NOT_READY,
    DEVICE_CLASS,
    QUANTIZATION,
    MEMORY,
    FAILED
  }
}
