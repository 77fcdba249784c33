package dev.weft.runtime.tokenizer;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import dev.weft.runtime.weights.ModelFormatException;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/// One tokenizer of the native library, which owns its memory. Thread-safe; closing waits for
/// encodings under way.
///
/// It calls the library's own functions and not DJL's `HuggingFaceTokenizer`, whose constructor
/// reports home and whose results copy nine arrays where one is wanted.
final class NativeTokenizer implements AutoCloseable {
  private final TokenizersLibrary library;
  private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();
  private long handle;

  private NativeTokenizer(TokenizersLibrary library, long handle) {
    this.library = library;
    this.handle = handle;
  }

  /// @throws ModelFormatException when the library refuses the definition
  static NativeTokenizer open(String json) {
    TokenizersLibrary library = NativeTokenizerLibrary.load();
    try {
      return new NativeTokenizer(library, library.createTokenizerFromString(json));
    } catch (RuntimeException e) {
      throw new ModelFormatException("The tokenizer cannot be used: " + e.getMessage(), e);
    }
  }

  /// Tokens of a text without unpaired surrogates.
  ///
  /// @param addSpecial adds what the definition's post-processor puts around a text
  int[] encode(String text, boolean addSpecial) {
    lock.readLock().lock();
    try {
      if (handle == 0) {
        throw new IllegalStateException("The tokenizer is closed.");
      }
      long encoding = library.encode(handle, text, addSpecial);
      try {
        return narrowed(library.getTokenIds(encoding));
      } finally {
        library.deleteEncoding(encoding);
      }
    } finally {
      lock.readLock().unlock();
    }
  }

  @Override
  public void close() {
    lock.writeLock().lock();
    try {
      if (handle != 0) {
        library.deleteTokenizer(handle);
        handle = 0;
      }
    } finally {
      lock.writeLock().unlock();
    }
  }

  private static int[] narrowed(long[] ids) {
    int[] tokens = new int[ids.length];
    for (int i = 0; i < ids.length; i++) {
      tokens[i] = Math.toIntExact(ids[i]);
    }
    return tokens;
  }
}
