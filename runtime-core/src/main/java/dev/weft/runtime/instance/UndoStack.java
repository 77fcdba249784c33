package dev.weft.runtime.instance;

import java.util.ArrayDeque;

/// What has been opened so far, closed newest first unless all of it is kept.
final class UndoStack implements AutoCloseable {
  private final ArrayDeque<Undo> opened = new ArrayDeque<>();

  /// Undoes one thing.
  @FunctionalInterface
  interface Undo {
    void run();
  }

  <T extends AutoCloseable> T add(T resource) {
    onUndo(() -> close(resource));
    return resource;
  }

  void onUndo(Undo undo) {
    opened.push(undo);
  }

  void keepAll() {
    opened.clear();
  }

  @Override
  public void close() {
    RuntimeException first = null;
    while (!opened.isEmpty()) {
      try {
        opened.pop().run();
      } catch (RuntimeException e) {
        if (first == null) {
          first = e;
        } else {
          first.addSuppressed(e);
        }
      }
    }
    if (first != null) {
      throw first;
    }
  }

  private static void close(AutoCloseable resource) {
    try {
      resource.close();
    } catch (RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new IllegalStateException("closing failed", e);
    }
  }
}
