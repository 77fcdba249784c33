package dev.weft.autoscaler.simulation;

import dev.weft.autoscaler.admission.ShadowValidation;
import dev.weft.autoscaler.memory.KvWatermark;
import dev.weft.autoscaler.memory.LengthForecast;
import dev.weft.autoscaler.placement.ClusterLoad;
import dev.weft.autoscaler.placement.Placement;
import dev.weft.autoscaler.placement.Shortlist;
import dev.weft.autoscaler.placement.Shortlist.Lack;
import dev.weft.autoscaler.simulation.Mechanisms.Mechanism;
import dev.weft.functions.DeviceClass;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// The platform's own policies, applied to simulated devices.
final class MeshPolicy implements Policy {
  private static final long SECOND = 1_000_000_000L;

  /// With what probability a request does not need more KV memory than expected.
  private static final double KV_CONFIDENCE = 0.9;

  private static final int LOOK_AHEAD_TOKENS = 512;

  /// What a function got counts in classes of so many seconds of a device.
  private static final double TURN_SECONDS = 5;

  /// An idle instance stays where its function is called soon more likely than not.
  private static final double LIKELY = 0.5;

  /// Devices of a pool that are looked at for a new instance.
  private static final int LISTED = 32;

  /// How late a request that began may get before it is given up.
  private static final long PATIENCE_NANOS = 60 * SECOND;

  private final World world;
  private final Placement.Rules rules;
  private final List<Shortlist<SimDevice>> pools;
  private final KvWatermark watermark;
  private final boolean knowsCaches;
  private boolean paused;

  MeshPolicy(World world) {
    this.world = world;
    this.watermark =
        world.use(Mechanism.WATERMARK)
            ? KvWatermark.DEFAULT
            : new KvWatermark(0, KvWatermark.DEFAULT.leastTokens());
    this.knowsCaches = world.use(Mechanism.CACHES);
    boolean validates = world.use(Mechanism.VALIDATION);
    this.rules =
        new Placement.Rules(
            new ShadowValidation.Rules(watermark, validates, validates),
            world.use(Mechanism.PACKING),
            world.use(Mechanism.PREEMPTION),
            world.use(Mechanism.SHARING));
    Shortlist<SimDevice> cpus = pool(world.devices, DeviceClass.CPU, Lack.TIME);
    Shortlist<SimDevice> gpus = pool(world.devices, DeviceClass.GPU, Lack.MEMORY);
    this.pools = world.use(Mechanism.CPU_FIRST) ? List.of(cpus, gpus) : List.of(gpus, cpus);
  }

  private static Shortlist<SimDevice> pool(
      List<SimDevice> devices, DeviceClass deviceClass, Lack lack) {
    List<SimDevice> pool =
        devices.stream().filter(device -> device.spec.deviceClass() == deviceClass).toList();
    var shortlist = new Shortlist<>(pool, lack, LISTED, SimDevice::freeBytes);
    pool.forEach(device -> device.watch(shortlist::changed));
    return shortlist;
  }

  @Override
  public boolean place(SimRequest request) {
    request.neededTokens = neededTokens(request);
    var demand =
        new ShadowValidation.Request(request.tokens(), request.neededTokens, request.deadline());
    var outcome =
        Placement.decide(
            new Placement.Request(
                demand,
                request.function.priority,
                request.function.got(world.now()),
                world.use(Mechanism.FAIRNESS)
                    && request.function.shares.owed(request.function.number)),
            new Cluster(request.function),
            rules,
            world.now());
    switch (outcome) {
      case Placement.Joins(var instance, var fits, var idle) -> {
        world.recorder.decided(Decision.JOINED);
        unload(idle);
        join(request, (SimInstance) instance, fits.tokens());
      }
      case Placement.Preempts(var instance, var fits, var victims) -> {
        world.recorder.decided(Decision.JOINED_BY_PREEMPTION);
        unload(victims);
        join(request, (SimInstance) instance, fits.tokens());
      }
      case Placement.Creates creates -> {
        world.recorder.decided(
            creates.displaces() ? Decision.CREATED_BY_DISPLACEMENT : Decision.CREATED);
        unload(creates.idleVictims());
        SimDevice device = (SimDevice) creates.device();
        long tokens = creates.fits().tokens();
        world.join(request, world.create(request.function, device, tokens));
      }
      case Placement.Nowhere(var against) -> {
        world.recorder.refused(against);
        return false;
      }
    }
    return true;
  }

  private void unload(List<ClusterLoad.Instance> victims) {
    for (ClusterLoad.Instance victim : victims) {
      Decision why = victim.batch() > 0 ? Decision.UNLOADED_RUNNING : Decision.UNLOADED_FOR_ROOM;
      unload((SimInstance) victim, why);
    }
  }

  private void unload(SimInstance instance, Decision why) {
    world.unload(instance, why);
    if (world.use(Mechanism.FORESIGHT)) {
      anticipate(instance.function);
    }
  }

  /// Has an instance made when its function is called soon more likely than not.
  private void anticipate(SimFunction function) {
    long at = function.arrivals.likely(LIKELY, SimInstance.SOON_NANOS, world.now());
    if (at == Long.MAX_VALUE || function.anticipated) {
      return;
    }
    function.anticipated = true;
    world.events.at(
        at,
        () -> {
          function.anticipated = false;
          if (!function.instances.isEmpty()) {
            return;
          }
          if (function.arrivals.within(SimInstance.SOON_NANOS, world.now()) > LIKELY) {
            prewarm(function);
          } else {
            anticipate(function);
          }
        });
  }

  /// Makes an instance ahead of calls on the fullest device where only instances that idle, and are
  /// not likely called soon, have to go for it; not while requests wait for a place.
  private void prewarm(SimFunction function) {
    if (!world.pending.isEmpty()) {
      return;
    }
    Cluster cluster = new Cluster(function);
    for (List<SimDevice> pool : cluster.pools()) {
      SimDevice best = null;
      for (SimDevice device : pool) {
        if (cluster.fresh(device).isPresent()
            && (rules.shares() || device.instances.isEmpty())
            && (best == null || device.load() > best.load())
            && firstTokens(function, device) > 0) {
          best = device;
        }
      }
      if (best != null) {
        long tokens = firstTokens(function, best);
        makeRoom(best, null, best.bytesFor(function.model, tokens));
        world.recorder.decided(Decision.CREATED_AHEAD);
        world.create(function, best, tokens);
        return;
      }
    }
  }

  /// KV tokens that an instance made ahead of calls begins with; 0 where there is no room for it.
  private long firstTokens(SimFunction function, SimDevice device) {
    long room = device.roomBytes() - device.bytesFor(function.model, 0);
    for (SimInstance other : device.instances) {
      room += other.idleSince < Long.MAX_VALUE && other.soon() <= LIKELY ? other.plannedBytes() : 0;
    }
    return room > 0
            && watermark.decide(0, 0, room / function.model.kvBytesPerToken())
                instanceof KvWatermark.Grow(var tokens)
        ? tokens
        : 0;
  }

  private void join(SimRequest request, SimInstance instance, long tokens) {
    world.resize(instance, tokens);
    world.join(request, instance);
  }

  @Override
  public int neededTokens(SimRequest request) {
    if (!world.use(Mechanism.FORECAST)) {
      return request.tokens() + LOOK_AHEAD_TOKENS;
    }
    return request.tokens()
        + tokensAhead(request.function.lengths, request.produced, SimRequest.MOST_ANSWER_TOKENS);
  }

  /// Tokens for which memory is planned beside those that there are.
  static int tokensAhead(LengthForecast lengths, int produced, int mostTokens) {
    int answer = lengths.quantile(KV_CONFIDENCE, produced, mostTokens);
    return Math.clamp(answer - produced, 1, LOOK_AHEAD_TOKENS);
  }

  /// A request whose first token is late already is given up; one that began only much later.
  @Override
  public boolean givesUp(SimRequest request) {
    long patience = request.firstAt < 0 ? 0 : PATIENCE_NANOS;
    return request.deadline() + patience < world.now();
  }

  /// By classes of what its function got lately, so that little differences do not count.
  @Override
  public double turn(SimRequest request) {
    return world.use(Mechanism.FAIRNESS)
        ? Math.floor(request.function.got(world.now()) / TURN_SECONDS)
        : 0;
  }

  @Override
  public void idle(SimInstance instance) {
    long since = instance.idleSince;
    world.events.at(
        world.now() + keepAliveNanos(),
        () -> {
          if (instance.idleSince != since || instance.state != SimInstance.State.READY) {
            return;
          }
          if (instance.soon() > LIKELY) {
            idle(instance);
          } else {
            unload(instance, Decision.UNLOADED_IDLE);
          }
        });
  }

  private long keepAliveNanos() {
    return world.use(Mechanism.KEEP_ALIVE) && world.use(Mechanism.SHARING) ? 60 * SECOND : SECOND;
  }

  @Override
  public void shrunk(SimInstance instance) {
    if (watermark.decide(instance.neededTokens(), instance.plannedTokens(), 0)
        instanceof KvWatermark.Shrink(var tokens)) {
      world.resize(instance, tokens);
    }
  }

  @Override
  public boolean grow(SimInstance instance, long tokens) {
    if (instance.plannedTokens() >= tokens) {
      return true;
    }
    SimDevice device = instance.device;
    if (!device.growsKv()) {
      return false;
    }
    long needed = Math.max(tokens, instance.neededTokens());
    long idle = device.idleBytesBeside(instance);
    long room = (device.roomBytes() + idle) / instance.bytesPerToken();
    return switch (watermark.decide(needed, instance.plannedTokens(), room)) {
      case KvWatermark.Grow(var more) -> {
        makeRoom(device, instance, (more - instance.plannedTokens()) * instance.bytesPerToken());
        world.resize(instance, more);
        yield true;
      }
      case KvWatermark.Lacks _ -> {
        long least = tokens - instance.plannedTokens();
        if (least > room) {
          yield false;
        }
        makeRoom(device, instance, room * instance.bytesPerToken());
        world.resize(instance, instance.plannedTokens() + room);
        yield true;
      }
      case KvWatermark.Keep _, KvWatermark.Shrink _ -> true;
    };
  }

  /// Unloads idle instances, the longest idle first, until there is room for so many bytes.
  private void makeRoom(SimDevice device, @Nullable SimInstance keep, long bytes) {
    List<SimInstance> idle = new ArrayList<>();
    for (SimInstance other : device.instances) {
      if (other != keep && other.idleSince < Long.MAX_VALUE) {
        idle.add(other);
      }
    }
    idle.sort(
        Comparator.comparingDouble(SimInstance::soon).thenComparingLong(SimInstance::idleSince));
    for (SimInstance victim : idle) {
      if (device.roomBytes() >= bytes) {
        return;
      }
      unload(victim, Decision.UNLOADED_FOR_ROOM);
    }
  }

  @Override
  public void pause(boolean pauses) {
    paused = pauses;
  }

  @Override
  public boolean byHeadroom() {
    return world.use(Mechanism.HEADROOM);
  }

  /// The devices as they are for one function.
  private final class Cluster implements ClusterLoad {
    private final SimFunction function;

    Cluster(SimFunction function) {
      this.function = function;
    }

    @Override
    public List<SimInstance> instances() {
      return function.instances;
    }

    @Override
    public List<List<SimDevice>> pools() {
      if (paused) {
        return List.of();
      }
      long bytes =
          function.model.weightBytes() + watermark.leastTokens() * function.model.kvBytesPerToken();
      return pools.stream().map(pool -> pool.devices(bytes, 1)).toList();
    }

    @Override
    public Optional<Fresh> fresh(Device on) {
      SimDevice device = (SimDevice) on;
      return device.alive && device.runs(function.model)
          ? Optional.of(new NewInstance(function, device, world.now(), knowsCaches))
          : Optional.empty();
    }
  }
}
