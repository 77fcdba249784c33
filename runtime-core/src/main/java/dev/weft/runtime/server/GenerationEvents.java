package dev.weft.runtime.server;

import dev.weft.runtime.engine.GenerationListener;
import dev.weft.runtime.engine.GenerationListener.FinishReason;
import dev.weft.runtime.engine.GenerationListener.GenerationError;
import dev.weft.runtime.engine.GenerationListener.Times;
import dev.weft.runtime.engine.GenerationListener.Usage;
import dev.weft.runtime.sampling.SampledToken;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// What the sequences of one request have produced and its connection has not taken yet: the one
/// thing that the device's thread and the event loop share.
///
/// Any number of events wake the event loop once. While the client reads slower than the model
/// writes ([#stall]) nothing wakes it, and the text that gathers is taken as one piece a choice.
/// What waits is bounded; reaching the bound is told once, to `onOverflow`, and from then on only
/// ends are kept.
final class GenerationEvents {
  /// What an event and each of its tokens and alternatives cost while they wait, beside the text.
  private static final int ITEM_BYTES = 32;

  private final int maxPendingBytes;
  private final Runnable wake;
  private final Runnable onOverflow;
  private List<Event> pending = new ArrayList<>();
  private long pendingBytes;
  private boolean woken;
  private boolean stalled;
  private boolean overflowed;
  private int running;

  /// Something that happened to choice `choice`.
  sealed interface Event {
    record PromptScored(int choice, List<SampledToken> prompt) implements Event {}

    record Text(int choice, String text, List<SampledToken> tokens) implements Event {}

    record Took(Times times) implements Event {}

    record Finished(int choice, FinishReason reason, Usage usage) implements Event {}

    record Failed(int choice, GenerationError error) implements Event {}
  }

  /// @param choices that have a listener and have not ended
  /// @param wake asks for [#take] to be called soon, on the event loop
  GenerationEvents(int choices, int maxPendingBytes, Runnable wake, Runnable onOverflow) {
    running = choices;
    this.maxPendingBytes = maxPendingBytes;
    this.wake = wake;
    this.onOverflow = onOverflow;
  }

  /// The listener of one choice, for the device's thread.
  GenerationListener listener(int choice) {
    return new GenerationListener() {
      @Override
      public void onPromptScored(List<SampledToken> prompt) {
        add(new Event.PromptScored(choice, prompt), bytes("", prompt));
      }

      @Override
      public void onTokens(String text, List<SampledToken> tokens) {
        add(new Event.Text(choice, text, tokens), bytes(text, tokens));
      }

      @Override
      public void onTimes(Times times) {
        add(new Event.Took(times), 0);
      }

      @Override
      public void onFinish(FinishReason reason, Usage usage) {
        add(new Event.Finished(choice, reason, usage), 0);
      }

      @Override
      public void onError(GenerationError error) {
        add(new Event.Failed(choice, error), 0);
      }
    };
  }

  /// All that has come; in order, within each choice. The next event wakes again.
  List<Event> take() {
    List<Event> taken;
    boolean merge;
    synchronized (this) {
      taken = pending;
      merge = stalled;
      pending = new ArrayList<>();
      pendingBytes = 0;
      woken = false;
      stalled = false;
    }
    return merge ? merged(taken) : taken;
  }

  /// The client reads too slowly: do not wake until the next [#take].
  synchronized void stall() {
    stalled = true;
    woken = true;
  }

  /// Whether nothing will come any more. What is left is taken even when the client is slow: it is
  /// bounded, and whoever unloads the model waits for this request to let go of it.
  synchronized boolean allEnded() {
    return running == 0;
  }

  private void add(Event event, long bytes) {
    Runnable after = null;
    synchronized (this) {
      if (ends(event)) {
        running--;
      }
      if (overflowed && bytes > 0) {
        return;
      }
      pendingBytes += bytes;
      if (pendingBytes > maxPendingBytes) {
        overflowed = true;
        pending.removeIf(GenerationEvents::holdsBytes);
        pendingBytes = 0;
        after = onOverflow;
      } else {
        pending.add(event);
        if (!woken || running == 0) {
          woken = true;
          after = wake;
        }
      }
    }
    if (after != null) {
      after.run();
    }
  }

  /// Joins the texts of each choice: between its prompt and its end a choice has nothing else. Text
  /// without tokens belongs to the end, and stays apart.
  private static List<Event> merged(List<Event> events) {
    List<Event> merged = new ArrayList<>();
    Map<Integer, Run> runByChoice = new HashMap<>();
    for (Event event : events) {
      if (!(event instanceof Event.Text piece) || piece.tokens().isEmpty()) {
        merged.add(event);
        continue;
      }
      Run run = runByChoice.get(piece.choice());
      if (run == null) {
        run = new Run(merged.size(), new StringBuilder(), new ArrayList<>());
        runByChoice.put(piece.choice(), run);
        merged.add(piece);
      }
      run.text().append(piece.text());
      run.tokens().addAll(piece.tokens());
    }
    runByChoice.forEach((choice, run) ->
        merged.set(run.index(), new Event.Text(choice, run.text().toString(), run.tokens())));
    return merged;
  }

  private record Run(int index, StringBuilder text, List<SampledToken> tokens) {}

  private static boolean ends(Event event) {
    return event instanceof Event.Finished || event instanceof Event.Failed;
  }

  private static boolean holdsBytes(Event event) {
    return event instanceof Event.Text || event instanceof Event.PromptScored;
  }

  private static long bytes(String text, List<SampledToken> tokens) {
    long bytes = ITEM_BYTES + (long) text.length();
    for (SampledToken token : tokens) {
      bytes += (1L + token.alternatives().size()) * ITEM_BYTES;
    }
    return bytes;
  }
}
