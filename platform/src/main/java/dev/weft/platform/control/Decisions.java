package dev.weft.platform.control;

import dev.weft.functions.FunctionName;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.Why;
import jakarta.inject.Singleton;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// What was decided lately, and why: the answer to `weft explain`. The latest of requests and the
/// latest of instances are kept apart, so that many calls do not push out why an instance came or
/// went. **thread**: any.
@Singleton
public final class Decisions {
  static final int KEPT_OF_REQUESTS = 4_096;
  static final int KEPT_OF_INSTANCES = 1_024;

  private final Deque<Decision> ofRequests = new ArrayDeque<>();
  private final Deque<Decision> ofInstances = new ArrayDeque<>();

  /// One decision.
  ///
  /// @param requestId of the request that it was about; `null` for one about an instance
  /// @param device that was chosen, or that refused; `null` when none was
  /// @param why with the figures that it was decided on
  public record Decision(
      Instant at,
      FunctionName function,
      @Nullable String requestId,
      Kind kind,
      @Nullable DeviceId device,
      Why why) {}

  /// What was decided.
  public enum Kind {
    /// A request went to that device.
    ROUTED,
    /// The device would not have been in time with it.
    REFUSED,
    /// No device was in time, so it waits for its turn.
    QUEUED,
    /// It waits until an instance is ready.
    HELD,
    /// It was answered with an error.
    TURNED_AWAY,
    /// Its instance left or refused it, or its runtime failed: it goes elsewhere, or there again.
    MOVED,
    /// An instance is loaded on that device.
    LOADING,
    /// The device refused to load it.
    LOAD_REFUSED,
    /// The instance has left that device.
    UNLOADED
  }

  /// Notes a decision about a request.
  public void request(
      FunctionName function, String requestId, Kind kind, @Nullable DeviceId device, Why why) {
    add(
        ofRequests,
        KEPT_OF_REQUESTS,
        new Decision(Instant.now(), function, requestId, kind, device, why));
  }

  /// Notes a decision about an instance.
  public void instance(FunctionName function, Kind kind, DeviceId device, Why why) {
    add(
        ofInstances,
        KEPT_OF_INSTANCES,
        new Decision(Instant.now(), function, null, kind, device, why));
  }

  private synchronized void add(Deque<Decision> decisions, int kept, Decision decision) {
    if (decisions.size() == kept) {
      decisions.removeFirst();
    }
    decisions.addLast(decision);
  }

  /// The latest of a function, by its name, or of a request, by its id; oldest first.
  public List<Decision> of(String subject, int limit) {
    return latest(
        decision ->
            decision.function().value().equals(subject) || subject.equals(decision.requestId()),
        limit);
  }

  /// The latest of all; oldest first.
  public List<Decision> latest(int limit) {
    return latest(_ -> true, limit);
  }

  private synchronized List<Decision> latest(Predicate<Decision> wanted, int limit) {
    List<Decision> all =
        Stream.concat(ofRequests.stream(), ofInstances.stream())
            .filter(wanted)
            .sorted(Comparator.comparing(Decision::at))
            .toList();
    return all.subList(Math.max(0, all.size() - limit), all.size());
  }
}
