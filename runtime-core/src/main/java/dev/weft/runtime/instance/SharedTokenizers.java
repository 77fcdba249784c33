package dev.weft.runtime.instance;

import dev.weft.runtime.tokenizer.Tokenizer;
import dev.weft.runtime.weights.SourceFile;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;

/// Tokenizers: one for all models that read the same vocabulary, and, within a bound, those of
/// models that were unloaded a while ago. Making one takes longer than mapping a small model's
/// weights, and a function that is called again is called soon. Thread-safe.
final class SharedTokenizers implements AutoCloseable {
  /// The tokens of all vocabularies that are kept for nobody: two of the largest in use, about 150
  /// MB.
  static final int IDLE_TOKENS_MAX = 300_000;

  private volatile int idleTokensMax;

  /// In the order of their last use.
  private final Map<List<SourceFile>, Shared> shared = new LinkedHashMap<>(16, 0.75f, true);

  /// One tokenizer and how many use it; guarded by the map.
  private static final class Shared {
    private final CompletableFuture<Tokenizer> tokenizer = new CompletableFuture<>();
    private int users;
  }

  SharedTokenizers(int idleTokensMax) {
    this.idleTokensMax = idleTokensMax;
  }

  /// A tokenizer of the vocabulary in these files; closing it gives it back.
  ///
  /// @param files empty when they are not known: then it is nobody else's
  /// @param open makes it, when it is not there; its exceptions are passed on
  Tokenizer open(List<SourceFile> files, Supplier<Tokenizer> open) {
    if (files.isEmpty()) {
      return open.get();
    }
    Shared entry;
    boolean first;
    synchronized (shared) {
      entry = shared.get(files);
      first = entry == null;
      if (entry == null) {
        entry = new Shared();
        shared.put(files, entry);
      }
      entry.users++;
    }
    if (first) {
      make(entry, files, open);
    }
    Shared taken = entry;
    try {
      return new Lent(taken.tokenizer.join(), () -> giveBack(taken));
    } catch (CompletionException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw e;
    }
  }

  private void make(Shared entry, List<SourceFile> files, Supplier<Tokenizer> open) {
    try {
      entry.tokenizer.complete(open.get());
    } catch (RuntimeException | Error e) {
      synchronized (shared) {
        shared.remove(files, entry);
      }
      entry.tokenizer.completeExceptionally(e);
    }
  }

  private void giveBack(Shared entry) {
    synchronized (shared) {
      entry.users--;
    }
    trim(idleTokensMax);
  }

  /// Closes the idle ones that were used longest ago until the others are within the bound.
  private void trim(int tokensMax) {
    List<Tokenizer> closing = new ArrayList<>();
    synchronized (shared) {
      int tokens =
          shared.values().stream()
              .filter(entry -> entry.users == 0)
              .mapToInt(entry -> entry.tokenizer.join().vocabularySize())
              .sum();
      Iterator<Shared> oldestFirst = shared.values().iterator();
      while (tokens > tokensMax && oldestFirst.hasNext()) {
        Shared entry = oldestFirst.next();
        if (entry.users == 0) {
          Tokenizer tokenizer = entry.tokenizer.join();
          tokens -= tokenizer.vocabularySize();
          oldestFirst.remove();
          closing.add(tokenizer);
        }
      }
    }
    closing.forEach(Tokenizer::close);
  }

  /// Closes all that nobody uses, and from now on each when its last user is gone.
  @Override
  public void close() {
    idleTokensMax = 0;
    trim(0);
  }

  /// A use of a shared tokenizer.
  private record Lent(Tokenizer tokenizer, AtomicBoolean closed, Runnable giveBack)
      implements Tokenizer {
    private Lent(Tokenizer tokenizer, Runnable giveBack) {
      this(tokenizer, new AtomicBoolean(), giveBack);
    }

    @Override
    public int[] encode(List<TextPart> parts, boolean addSpecial) {
      return tokenizer.encode(parts, addSpecial);
    }

    @Override
    public String decode(int[] tokens, boolean skipSpecial) {
      return tokenizer.decode(tokens, skipSpecial);
    }

    @Override
    public byte[] tokenBytes(int token) {
      return tokenizer.tokenBytes(token);
    }

    @Override
    public IncrementalDecoder incrementalDecoder(boolean skipSpecial) {
      return tokenizer.incrementalDecoder(skipSpecial);
    }

    @Override
    public int vocabularySize() {
      return tokenizer.vocabularySize();
    }

    @Override
    public Set<Integer> endTokens() {
      return tokenizer.endTokens();
    }

    @Override
    public Map<String, String> specialTokens() {
      return tokenizer.specialTokens();
    }

    @Override
    public void close() {
      if (closed.compareAndSet(false, true)) {
        giveBack.run();
      }
    }
  }
}
