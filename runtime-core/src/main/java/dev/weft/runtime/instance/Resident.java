package dev.weft.runtime.instance;

import dev.weft.functions.Model;
import dev.weft.functions.instance.InstanceStatus.Blocks;
import dev.weft.functions.instance.PerformanceTable;
import dev.weft.runtime.engine.Engine;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/// What a revision has in the device's memory: a model of its own, or an adapter on another one.
/// Holds everything that the load took, and gives it back when it has been retired and the last
/// lease is closed: a tokenizer is native memory, and must outlive the request that is using it.
sealed interface Resident permits ResidentModel, ResidentAdapter {
  /// Puts it to work. Called once, before anyone else knows of this resident's model.
  void serve(Engine engine, InstanceSettings settings, Instant now);

  /// Waits until all its weights are on the device, the last of which may come while it serves.
  /// Throws where they do not get there.
  void awaitArrival();

  /// The model as requests see it; `null` until it serves.
  @Nullable ServingModel model();

  Model.Kind kind();

  long weightBytes();

  /// All bytes that its going frees in any case.
  long bytes();

  /// What it computes in, together with others.
  long activationBytes();

  Engine.Load load();

  Blocks blocks(Engine.Load load);

  /// Threads that take its small steps; 0 where there is nothing to choose.
  int workers();

  /// How long its steps take, once that has been measured; `null` for what runs in the steps of
  /// another, or is not measured.
  @Nullable PerformanceTable profile();

  void retain();

  void release();

  /// Ends what runs, but keeps what it has computed for who goes on with it elsewhere. Returns
  /// whether anything is kept; [#retire] ends that.
  boolean stop();

  /// Waits until nobody wants what is kept, at most so long.
  void awaitFetched(Duration longest);

  /// Ends what runs and lets go of it; call once. Completes when all of it has been given back,
  /// which is now unless somebody still has a lease.
  CompletableFuture<Void> retire();
}
