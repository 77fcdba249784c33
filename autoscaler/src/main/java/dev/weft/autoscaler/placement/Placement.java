package dev.weft.autoscaler.placement;

import dev.weft.autoscaler.admission.DeviceLoad;
import dev.weft.autoscaler.admission.InstanceLoad;
import dev.weft.autoscaler.admission.ShadowValidation;
import dev.weft.autoscaler.admission.ShadowValidation.Code;
import dev.weft.autoscaler.admission.ShadowValidation.Fits;
import dev.weft.autoscaler.admission.ShadowValidation.Refused;
import dev.weft.autoscaler.placement.ClusterLoad.Device;
import dev.weft.autoscaler.placement.ClusterLoad.Fresh;
import dev.weft.autoscaler.placement.ClusterLoad.Instance;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.PriorityQueue;

/// Where a request runs (LLM-Mesh, arXiv 2507.00507).
///
/// 1. An instance of its function, the largest batch first: small ones empty and go.
/// 2. Else such an instance after a smaller neighbour was taken off its device: what is missing is
///    memory or time, and the smallest neighbour that has as much, is not of a higher priority and
///    has a smaller batch goes.
/// 3. Else a new instance: pools in order, devices where the weights are near before others, then
///    the fullest first, so that devices stay or become empty; empty ones last.
/// 4. Else, for a function that is owed a place, a new instance where one of a function that got
///    more is taken off its device, on devices that lack memory rather than time.
/// 5. Else nowhere, with what stood against it, counted.
///
/// Whatever is planned, idle instances make room as needed, those least likely to be called soon
/// and the longest idle first. Each step asks [ShadowValidation].
public final class Placement {
  private static final Comparator<Instance> LARGEST_BATCH =
      Comparator.comparingInt(Instance::batch)
          .reversed()
          .thenComparing(instance -> instance.device().name());
  private static final Comparator<Instance> SMALLEST_BATCH =
      Comparator.comparingInt(Instance::batch)
          .thenComparingLong(Instance::plannedBytes)
          .thenComparing(instance -> instance.device().name());
  private static final Comparator<Instance> LONGEST_IDLE =
      Comparator.comparingDouble(Instance::soon)
          .thenComparingLong(Instance::idleSince)
          .thenComparingLong(Instance::plannedBytes);

  /// By how much more a function must have got than the one that it is displaced for.
  private static final double LEAST_AHEAD = 2;

  private Placement() {}

  /// Decides for one request.
  public static Outcome decide(Request request, ClusterLoad cluster, Rules rules, long now) {
    Against against = new Against();
    List<Instance> own = new ArrayList<>(cluster.instances());
    if (rules.packs()) {
      own.sort(LARGEST_BATCH);
    }
    Optional<Outcome> outcome = existing(request, own, rules, now, against);
    if (outcome.isEmpty() && rules.preempts()) {
      outcome = preempting(request, own, rules, now);
    }
    if (outcome.isEmpty()) {
      outcome = fresh(request, cluster, rules, now, against);
    }
    if (outcome.isEmpty() && request.owed()) {
      outcome = displacing(request, cluster, rules, now);
    }
    return outcome.orElseGet(() -> new Nowhere(against.counts));
  }

  private static Optional<Outcome> existing(
      Request request, List<Instance> own, Rules rules, long now, Against against) {
    for (Instance instance : own) {
      var outcome =
          ShadowValidation.decide(
              request.demand(), instance, instance.device(), rules.validation(), now);
      switch (outcome) {
        case Fits fits -> {
          return Optional.of(
              new Joins(instance, fits, idleVictims(instance.device(), instance, fits)));
        }
        case Refused refused -> against.add(refused.code());
      }
    }
    return Optional.empty();
  }

  private static Optional<Outcome> preempting(
      Request request, List<Instance> own, Rules rules, long now) {
    for (Instance instance : own) {
      List<Instance> neighbours = new ArrayList<>();
      for (Instance other : instance.device().instances()) {
        if (!other.equals(instance)
            && other.batch() > 0
            && other.preemptible()
            && other.batch() <= instance.batch()
            && other.priority() <= request.priority()) {
          neighbours.add(other);
        }
      }
      neighbours.sort(SMALLEST_BATCH);
      for (Instance victim : neighbours) {
        var outcome =
            ShadowValidation.decide(
                request.demand(),
                instance,
                new Without(instance.device(), victim),
                rules.validation(),
                now);
        if (outcome instanceof Fits fits) {
          List<Instance> victims = new ArrayList<>();
          victims.add(victim);
          victims.addAll(
              idleVictims(
                  new Without(instance.device(), victim), instance.device(), instance, fits));
          return Optional.of(new Preempts(instance, fits, victims));
        }
      }
    }
    return Optional.empty();
  }

  private static Optional<Outcome> fresh(
      Request request, ClusterLoad cluster, Rules rules, long now, Against against) {
    for (List<? extends Device> pool : cluster.pools()) {
      PriorityQueue<Site> sites = sites(pool, cluster, rules, against);
      for (Site site = sites.poll(); site != null; site = sites.poll()) {
        var outcome =
            ShadowValidation.decide(
                request.after(site.fresh), site.fresh, site.device, rules.validation(), now);
        switch (outcome) {
          case Fits fits -> {
            return Optional.of(
                new Creates(
                    site.device, site.fresh, fits, idleVictims(site.device, site.fresh, fits)));
          }
          case Refused refused -> against.add(refused.code());
        }
      }
    }
    return Optional.empty();
  }

  /// A new instance in the place of the smallest that will do of those whose functions got more.
  private static Optional<Outcome> displacing(
      Request request, ClusterLoad cluster, Rules rules, long now) {
    List<Instance> victims = new ArrayList<>();
    for (List<? extends Device> pool : cluster.pools()) {
      for (Device device : pool) {
        for (Instance victim : device.lacksTime() ? List.<Instance>of() : device.instances()) {
          if (victim.batch() > 0
              && victim.priority() <= request.priority()
              && victim.got() > request.got() + LEAST_AHEAD
              && victim.preemptible()) {
            victims.add(victim);
          }
        }
      }
    }
    victims.sort(SMALLEST_BATCH);
    for (Instance victim : victims) {
      Device device = victim.device();
      Without without = new Without(device, victim);
      Fresh fresh = cluster.fresh(device).orElse(null);
      if (fresh != null
          && ShadowValidation.decide(request.after(fresh), fresh, without, rules.validation(), now)
              instanceof Fits fits) {
        List<Instance> leave = new ArrayList<>();
        leave.add(victim);
        leave.addAll(idleVictims(without, device, fresh, fits));
        return Optional.of(new Creates(device, fresh, fits, leave));
      }
    }
    return Optional.empty();
  }

  /// The devices of a pool whose memory suffices for the weights, best first.
  private static PriorityQueue<Site> sites(
      List<? extends Device> pool, ClusterLoad cluster, Rules rules, Against against) {
    var sites = new PriorityQueue<Site>(rules.packs() ? Site.PACKED : Site.SPREAD);
    for (Device device : pool) {
      Fresh fresh = cluster.fresh(device).orElse(null);
      if (fresh == null) {
        continue;
      }
      boolean allowed = rules.shares() || device.instances().isEmpty();
      if (allowed && device.roomBytes() + device.idleBytesBeside(fresh) >= fresh.unplannedBytes()) {
        sites.add(new Site(device, fresh, device.load(), device.empty()));
      } else {
        against.add(Code.MEMORY);
      }
    }
    return sites;
  }

  private static List<Instance> idleVictims(Device device, InstanceLoad keep, Fits fits) {
    return idleVictims(device, device, keep, fits);
  }

  /// The idle instances that must go so that `keep` gets what it is to have, the longest idle
  /// first, and none that is not needed.
  private static List<Instance> idleVictims(
      DeviceLoad load, Device device, InstanceLoad keep, Fits fits) {
    long missing =
        keep.unplannedBytes()
            + (fits.tokens() - keep.plannedTokens()) * keep.bytesPerToken()
            - load.roomBytes();
    if (missing <= 0) {
      return List.of();
    }
    List<Instance> idle = new ArrayList<>();
    for (Instance other : device.instances()) {
      if (!other.equals(keep) && other.idleSince() < Long.MAX_VALUE) {
        idle.add(other);
      }
    }
    idle.sort(LONGEST_IDLE);
    List<Instance> victims = new ArrayList<>();
    for (Instance victim : idle) {
      if (missing <= 0) {
        break;
      }
      victims.add(victim);
      missing -= victim.plannedBytes();
    }
    for (int i = victims.size() - 1; i >= 0; i--) {
      if (missing + victims.get(i).plannedBytes() <= 0) {
        missing += victims.remove(i).plannedBytes();
      }
    }
    return victims;
  }

  /// A device without one of its instances.
  private record Without(Device device, Instance victim) implements DeviceLoad {
    @Override
    public List<? extends InstanceLoad> instances() {
      List<InstanceLoad> left = new ArrayList<>(device.instances());
      left.remove(victim);
      return left;
    }

    @Override
    public long roomBytes() {
      return device.roomBytes() + victim.plannedBytes();
    }

    @Override
    public long idleBytesBeside(InstanceLoad instance) {
      return device.idleBytesBeside(instance);
    }

    @Override
    public boolean growsKv() {
      return device.growsKv();
    }

    @Override
    public long freeAt() {
      return device.freeAt();
    }
  }

  /// A device that may get a new instance.
  private record Site(Device device, Fresh fresh, double load, boolean empty) {
    private static final Comparator<Site> NEAREST =
        Comparator.comparingLong(site -> site.fresh.loadNanos());
    static final Comparator<Site> PACKED =
        NEAREST
            .thenComparing(Site::empty)
            .thenComparing(Comparator.comparingDouble(Site::load).reversed())
            .thenComparing(site -> site.device.name());
    static final Comparator<Site> SPREAD =
        Comparator.comparingDouble(Site::load).thenComparing(site -> site.device.name());
  }

  private static final class Against {
    private final Map<Code, Integer> counts = new EnumMap<>(Code.class);

    void add(Code code) {
      counts.merge(code, 1, Integer::sum);
    }
  }

  /// What is to be placed.
  ///
  /// @param priority of its function
  /// @param got what its function got lately (see [Instance#got])
  /// @param owed whether others may be displaced for it because they got more
  public record Request(ShadowValidation.Request demand, int priority, double got, boolean owed) {
    /// What is asked of an instance that is to be loaded first, which excuses as much.
    private ShadowValidation.Request after(Fresh fresh) {
      return new ShadowValidation.Request(
          demand.promptTokens(), demand.neededTokens(), demand.deadline() + fresh.loadNanos());
    }
  }

  /// Which of the mechanisms are used; all but for comparisons.
  ///
  /// @param packs whether batches and devices are filled one after the other
  /// @param preempts whether smaller neighbours are pushed out
  /// @param shares whether a device may have several instances
  public record Rules(
      ShadowValidation.Rules validation, boolean packs, boolean preempts, boolean shares) {
    public static final Rules DEFAULT = new Rules(ShadowValidation.Rules.DEFAULT, true, true, true);
  }

  /// What was decided.
  public sealed interface Outcome {}

  /// It joins that instance, after idle neighbours have made room.
  public record Joins(Instance instance, Fits fits, List<Instance> idleVictims) implements Outcome {
    public Joins {
      idleVictims = List.copyOf(idleVictims);
    }
  }

  /// It joins that instance, after those were taken off its device; the first of them runs.
  public record Preempts(Instance instance, Fits fits, List<Instance> victims) implements Outcome {
    public Preempts {
      victims = List.copyOf(victims);
    }
  }

  /// A new instance is made for it, after idle neighbours have made room, or one that runs.
  public record Creates(Device device, Fresh fresh, Fits fits, List<Instance> idleVictims)
      implements Outcome {
    public Creates {
      idleVictims = List.copyOf(idleVictims);
    }

    /// Whether somebody who runs makes room, for a function that is owed a place.
    public boolean displaces() {
      return idleVictims.stream().anyMatch(victim -> victim.batch() > 0);
    }
  }

  /// Nothing can be done now.
  ///
  /// @param against for how many instances and devices each reason stood against it
  public record Nowhere(Map<Code, Integer> against) implements Outcome {
    public Nowhere {
      against = Map.copyOf(against);
    }
  }
}
