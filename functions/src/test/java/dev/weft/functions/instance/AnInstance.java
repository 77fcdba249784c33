package dev.weft.functions.instance;

import dev.weft.functions.Model.Kind;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.InstanceStatus.Blocks;
import dev.weft.functions.instance.InstanceStatus.Failure;
import dev.weft.functions.instance.InstanceStatus.LoadProgress;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Statuses of instances for tests: one that generates text, is ready and idle and takes nothing,
/// but for what a test says.
public final class AnInstance {
  private final RevisionId revision;
  private @Nullable Kind kind = Kind.GENERATION;
  private Tier tier = Tier.READY;
  private boolean pinned;
  private int running;
  private int waiting;
  private long weightBytes;
  private Blocks blocks = Blocks.NONE;
  private long loadCount;
  private Instant lastUsedAt = Instant.EPOCH;
  private @Nullable LoadProgress progress;
  private @Nullable Failure failure;
  private int workers;
  private @Nullable Long headroomMillis;

  private AnInstance(RevisionId revision) {
    this.revision = revision;
  }

  public static AnInstance of(RevisionId revision) {
    return new AnInstance(revision);
  }

  /// Of which nobody knows yet what it does.
  public AnInstance ofUnknownKind() {
    kind = null;
    return this;
  }

  public AnInstance tier(Tier reached) {
    tier = reached;
    return this;
  }

  public AnInstance pinned(boolean isPinned) {
    pinned = isPinned;
    return this;
  }

  public AnInstance requests(int running, int waiting) {
    this.running = running;
    this.waiting = waiting;
    return this;
  }

  public AnInstance weightBytes(long bytes) {
    weightBytes = bytes;
    return this;
  }

  public AnInstance blocks(Blocks its) {
    blocks = its;
    return this;
  }

  public AnInstance loadCount(long count) {
    loadCount = count;
    return this;
  }

  public AnInstance lastUsedAt(Instant time) {
    lastUsedAt = time;
    return this;
  }

  public AnInstance progress(@Nullable LoadProgress its) {
    progress = its;
    return this;
  }

  public AnInstance failure(@Nullable Failure its) {
    failure = its;
    return this;
  }

  public AnInstance workers(int count) {
    workers = count;
    return this;
  }

  public AnInstance headroomMillis(long millis) {
    headroomMillis = millis;
    return this;
  }

  public InstanceStatus status() {
    return new InstanceStatus(
        revision,
        kind,
        tier,
        pinned,
        running,
        waiting,
        weightBytes,
        blocks,
        loadCount,
        lastUsedAt,
        progress,
        failure,
        List.of(),
        workers,
        null,
        headroomMillis);
  }
}
