package dev.weft.autoscaler.memory;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Who holds how much of a device's memory, while several holders load, grow, shrink and leave at
/// once. Decisions look at what is *planned*; what is *actual* never exceeds the capacity.
///
/// A plan changes the planned bytes at once and gets a version. It is carried out by actions, of
/// which a holder has one at a time:
///
/// ```
///                    planned                      actual
/// grow      at the plan                at the start of its action (early commit), or, while there
///                                      is no room, in a queue: first come, first served
/// shrink    at the plan                at the end of its action; it always starts at once
/// ```
///
/// A plan that a newer one of the same holder overtook is dropped when its turn comes, and nothing
/// that an older action reports can overwrite what a newer plan wants. Every plan ends: those in
/// the queue wait for shrinks, which never wait, and the planned bytes that the queue adds up to
/// fit the capacity, so when nothing else is under way the first in the queue fits.
///
/// Holders are compared by `equals`. For one thread.
public final class MemoryProtocol<H> {
  private final long capacityBytes;
  private final Map<H, Holding> holdings = new LinkedHashMap<>();
  private final ArrayDeque<Waiting<H>> queue = new ArrayDeque<>();
  private long plannedBytes;
  private long actualBytes;
  private long versions;

  public MemoryProtocol(long capacityBytes) {
    if (capacityBytes < 0) {
      throw new IllegalArgumentException("capacityBytes is negative: " + capacityBytes);
    }
    this.capacityBytes = capacityBytes;
  }

  /// Plans that a holder has `bytes`; 0 lets it go. What can start is in [#start].
  public Outcome plan(H holder, long bytes) {
    if (bytes < 0) {
      throw new IllegalArgumentException("bytes is negative: " + bytes);
    }
    Holding holding = holdings.get(holder);
    long before = holding == null ? 0 : holding.planned;
    long missing = plannedBytes - before + bytes - capacityBytes;
    if (missing > 0) {
      return new Refused(missing);
    }
    if (holding == null) {
      holding = new Holding();
      holdings.put(holder, holding);
    }
    plannedBytes += bytes - before;
    holding.planned = bytes;
    holding.version = ++versions;
    queue.add(new Waiting<>(holder, holding, holding.version));
    return new Planned(holding.version);
  }

  /// The actions that may start now, in this order; they are under way from here on, and each must
  /// end by [#completed] or [#failed], or with its holder in [#lost].
  public List<Action<H>> start() {
    List<Action<H>> started = new ArrayList<>();
    boolean roomFor = true;
    for (Iterator<Waiting<H>> waiting = queue.iterator(); waiting.hasNext(); ) {
      Waiting<H> next = waiting.next();
      Holding holding = next.holding;
      if (next.version != holding.version) {
        waiting.remove();
      } else if (!holding.busy) {
        long more = holding.planned - holding.actual;
        if (more <= 0) {
          waiting.remove();
          begin(next, started);
        } else if (roomFor && actualBytes + more <= capacityBytes) {
          waiting.remove();
          actualBytes += more;
          begin(next, started);
        } else {
          roomFor = false;
        }
      }
    }
    return started;
  }

  private void begin(Waiting<H> waiting, List<Action<H>> started) {
    Holding holding = waiting.holding;
    holding.before = holding.actual;
    holding.actual = Math.max(holding.actual, holding.planned);
    holding.target = holding.planned;
    holding.busy = true;
    holding.action = waiting.version;
    started.add(new Action<>(waiting.version, waiting.holder, holding.before, holding.target));
  }

  /// An action has done what it says.
  public void completed(Action<H> action) {
    end(action).ifPresent(holding -> settle(action.holder(), holding, holding.target));
  }

  /// An action has not done it. A holder that could not grow has what it had, and is planned to
  /// have no more, unless a newer plan says otherwise; one that could not shrink tries again.
  public void failed(Action<H> action) {
    end(action)
        .ifPresent(holding -> {
          boolean newest = holding.version == action.version();
          if (action.grows()) {
            if (newest) {
              plannedBytes += holding.before - holding.planned;
              holding.planned = holding.before;
            }
            settle(action.holder(), holding, holding.before);
          } else if (newest) {
            queue.add(new Waiting<>(action.holder(), holding, holding.version));
          }
        });
  }

  /// A holder is gone with all it had, whatever was under way.
  public void lost(H holder) {
    Holding holding = holdings.remove(holder);
    if (holding != null) {
      plannedBytes -= holding.planned;
      actualBytes -= holding.actual;
      holding.version = ++versions;
      holding.busy = false;
    }
  }

  private Optional<Holding> end(Action<H> action) {
    Holding holding = holdings.get(action.holder());
    if (holding == null || !holding.busy || holding.action != action.version()) {
      return Optional.empty();
    }
    holding.busy = false;
    return Optional.of(holding);
  }

  private void settle(H holder, Holding holding, long bytes) {
    actualBytes += bytes - holding.actual;
    holding.actual = bytes;
    if (holding.planned == 0 && bytes == 0) {
      holdings.remove(holder);
      holding.version = ++versions;
    }
  }

  public long capacityBytes() {
    return capacityBytes;
  }

  public long plannedBytes() {
    return plannedBytes;
  }

  public long actualBytes() {
    return actualBytes;
  }

  /// What more can be planned.
  public long roomBytes() {
    return capacityBytes - plannedBytes;
  }

  public long plannedBytes(H holder) {
    Holding holding = holdings.get(holder);
    return holding == null ? 0 : holding.planned;
  }

  public long actualBytes(H holder) {
    Holding holding = holdings.get(holder);
    return holding == null ? 0 : holding.actual;
  }

  /// Whether every plan has been carried out.
  public boolean settled() {
    return queue.isEmpty() && holdings.values().stream().noneMatch(holding -> holding.busy);
  }

  private static final class Holding {
    private long planned;
    private long actual;
    private long version;
    private boolean busy;
    private long action;
    private long before;
    private long target;
  }

  private record Waiting<H>(H holder, Holding holding, long version) {}

  /// Something to do for a holder.
  ///
  /// @param version of the plan that it carries out; unique
  /// @param toBytes what the holder has afterwards
  public record Action<H>(long version, H holder, long fromBytes, long toBytes) {
    public boolean grows() {
      return toBytes > fromBytes;
    }

    public boolean loads() {
      return fromBytes == 0 && toBytes > 0;
    }

    public boolean unloads() {
      return toBytes == 0;
    }
  }

  /// What became of a plan.
  public sealed interface Outcome {}

  /// It counts, and will be carried out.
  public record Planned(long version) implements Outcome {}

  /// So many bytes are planned for others.
  public record Refused(long missingBytes) implements Outcome {}
}
