package dev.weft.runtime.engine;

import dev.weft.functions.RevisionId;
import dev.weft.runtime.scheduling.KvBlocks;

/// Tells the observer what became of KV blocks: what was known, dropped, saved and brought back.
final class CacheReport implements SwapStore.Listener {
  private final RevisionId revision;
  private final EngineObserver observer;
  private long reusedTokens;
  private long evictedBlocks;

  CacheReport(RevisionId revision, EngineObserver observer) {
    this.revision = revision;
    this.observer = observer;
  }

  /// Tells what has changed since it last did.
  void tell(KvBlocks blocks) {
    long reused = blocks.reusedTokens() - reusedTokens;
    long evicted = blocks.evictedBlocks() - evictedBlocks;
    if (reused > 0 || evicted > 0) {
      reusedTokens += reused;
      evictedBlocks += evicted;
      observer.onPrefixes(revision, reused, evicted);
    }
  }

  @Override
  public void out(EngineObserver.SwapPlace place, long bytes) {
    observer.onSwapped(revision, place, bytes, 0);
  }

  @Override
  public void in(EngineObserver.SwapPlace place, long bytes) {
    observer.onSwapped(revision, place, 0, bytes);
  }

  @Override
  public void failed() {
    observer.onSwapFailed(revision);
  }

  @Override
  public void refused(EngineObserver.SwapRefusal reason) {
    observer.onSwapRefused(revision, reason);
  }

  @Override
  public void resized(long bytes) {
    observer.onSwapResized(revision, bytes);
  }
}
