package dev.weft.platform.control;

import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceId;
import java.time.Duration;
import java.time.Instant;
import java.util.Set;

/// What a round is to bring about, as it is known at one moment.
///
/// @param exclusive whether a device serves one model at a time
/// @param wanted revisions that are to be loaded without a request
/// @param displacedFor revisions for which others were displaced a moment ago
record CurrentWishes(
    Demand demand,
    LoadTracker loads,
    Set<RevisionId> wanted,
    Set<RevisionId> displacedFor,
    boolean exclusive,
    Instant now)
    implements ControlRound.Wishes {
  /// A device that a function takes for itself is taken from another: who found no room is asked
  /// about again and again, and when nobody has been for so long, nobody waits any more.
  private static final Duration CROWDED_ALONE = Duration.ofSeconds(1);

  CurrentWishes {
    wanted = Set.copyOf(wanted);
    displacedFor = Set.copyOf(displacedFor);
  }

  @Override
  public boolean held(DeployedFunction function) {
    return demand.waitedFor(function.name(), now);
  }

  @Override
  public boolean crowded(DeployedFunction function) {
    return exclusive
        ? demand.crowded(function.name(), now, CROWDED_ALONE)
        : demand.crowded(function.name(), now);
  }

  @Override
  public double soon(DeployedFunction function, Duration ahead) {
    return demand.soon(function.name(), ahead, now);
  }

  @Override
  public boolean wanted(RevisionId revision) {
    return wanted.contains(revision);
  }

  @Override
  public boolean underWay(RevisionId revision) {
    return loads.underWay(revision);
  }

  @Override
  public boolean blocked(RevisionId revision) {
    return loads.failure(revision).map(failed -> failed.blocks(now)).orElse(false);
  }

  @Override
  public boolean refuses(DeviceId device, RevisionId revision) {
    return loads.refuses(revision, device);
  }

  @Override
  public Instant heldSince(DeployedFunction function) {
    return demand.heldSince(function.name()).orElse(Instant.MAX);
  }

  @Override
  public boolean loadsOn(DeviceId device) {
    return loads.underWay(device);
  }

  @Override
  public boolean displaced(RevisionId revision) {
    return displacedFor.contains(revision);
  }
}
