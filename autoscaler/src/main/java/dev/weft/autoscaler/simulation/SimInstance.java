package dev.weft.autoscaler.simulation;

import dev.weft.autoscaler.placement.ClusterLoad;
import dev.weft.autoscaler.profile.MeasuredProfile;
import dev.weft.autoscaler.profile.RefinedProfile;
import dev.weft.autoscaler.scheduling.StepChoice;
import java.util.ArrayList;
import java.util.List;

/// An instance on a simulated device.
final class SimInstance implements ClusterLoad.Instance, StepChoice.Candidate {
  private static final int MOST_EVICTIONS = 2;

  /// What is called soon is called within so long.
  static final long SOON_NANOS = 60_000_000_000L;

  final SimFunction function;
  final SimDevice device;
  final int number;

  /// How long its load takes.
  final long loadNanos;

  final RefinedProfile times;
  final MeasuredProfile truth;

  /// Prompts that wait, in the order of their arrival, and sequences that make tokens.
  final List<SimRequest> prompts = new ArrayList<>();

  final List<SimRequest> sequences = new ArrayList<>();

  State state = State.LOADING;
  long readyAt;
  long idleSince = Long.MAX_VALUE;
  long couldRunSince;
  long plannedTokens;

  /// KV tokens that memory is there for.
  long kvTokens;

  /// Its memory is being changed, or it needs more before its next step.
  boolean resizing;

  boolean starved;
  private long neededTokens;
  private long contextTokens;
  private long sequenceTokens;
  private long earliestSequence = Long.MAX_VALUE;
  private long earliestPrompt = Long.MAX_VALUE;

  /// Whether the first token of a prompt is late whatever happens.
  private boolean lost;

  /// When the next one will be.
  private long nextLoss = Long.MAX_VALUE;

  SimInstance(SimFunction function, SimDevice device, int number) {
    this.function = function;
    this.device = device;
    this.number = number;
    this.loadNanos = device.loadNanos(function);
    this.times = device.times(function.model);
    this.truth = device.truth(function.model);
  }

  enum State {
    LOADING,
    READY,
    LEAVING
  }

  void addPrompt(SimRequest request) {
    prompts.add(request);
    neededTokens += request.neededTokens;
    contextTokens += request.tokens();
    look(request);
    device.changed();
  }

  /// The prompt that is computed next: the one due first of those that can be in time, or the one
  /// that came first.
  SimRequest nextPrompt(boolean dueFirst) {
    SimRequest best = prompts.getFirst();
    for (int i = 1; dueFirst && i < prompts.size(); i++) {
      best = goesBefore(prompts.get(i), best) ? prompts.get(i) : best;
    }
    return best;
  }

  private boolean goesBefore(SimRequest request, SimRequest other) {
    boolean lost = request.lost(device.now());
    return lost == other.lost(device.now()) ? request.deadline() < other.deadline() : !lost;
  }

  /// A prompt was computed and gave a token.
  void promptDone(SimRequest request) {
    prompts.remove(request);
    sequences.add(request);
    request.produced++;
    contextTokens++;
    sequenceTokens += request.tokens();
    refresh();
  }

  /// Every sequence got a token, so that the next of each is due later by as much.
  void decoded() {
    for (int i = 0; i < sequences.size(); i++) {
      sequences.get(i).produced++;
    }
    contextTokens += sequences.size();
    sequenceTokens += sequences.size();
    if (!sequences.isEmpty()) {
      earliestSequence += function.target.tokenNanos();
    }
  }

  void remove(SimRequest request) {
    if (sequences.remove(request)) {
      sequenceTokens -= request.tokens();
    } else {
      prompts.remove(request);
    }
    neededTokens -= request.neededTokens;
    contextTokens -= request.tokens();
    refresh();
    device.changed();
  }

  /// A request is expected to need another number of tokens than so far.
  void reforecast(SimRequest request, int tokens) {
    neededTokens += tokens - request.neededTokens;
    request.neededTokens = tokens;
  }

  void refresh() {
    earliestPrompt = Long.MAX_VALUE;
    nextLoss = Long.MAX_VALUE;
    lost = false;
    for (int i = 0; i < prompts.size(); i++) {
      look(prompts.get(i));
    }
    earliestSequence = Long.MAX_VALUE;
    for (int i = 0; i < sequences.size(); i++) {
      earliestSequence = Math.min(earliestSequence, sequences.get(i).deadline());
    }
  }

  private void look(SimRequest prompt) {
    if (prompt.lost(device.now())) {
      lost = true;
    } else {
      earliestPrompt = Math.min(earliestPrompt, prompt.deadline());
      nextLoss = prompt.firstAt < 0 ? Math.min(nextLoss, prompt.deadline()) : nextLoss;
    }
  }

  boolean idle() {
    return prompts.isEmpty() && sequences.isEmpty();
  }

  /// Tokens of the sequences, without the prompts that wait.
  long sequenceTokens() {
    return sequenceTokens;
  }

  /// Whether a prompt goes before the sequences' next tokens: when it is due first, or when they
  /// are not due for twice the time that it takes.
  boolean promptGoesFirst(long now) {
    passBy(now);
    return earliestPrompt < earliestSequence
        || earliestSequence - now > 2 * times.prefillNanos(nextPrompt(true).tokens());
  }

  /// Whether a prompt's tokens have memory.
  boolean fits(SimRequest prompt) {
    return sequenceTokens + prompt.tokens() + 1 <= kvTokens;
  }

  @Override
  public boolean runnable() {
    return state == State.READY && !resizing && !starved && !idle();
  }

  @Override
  public long deadline() {
    passBy(device.now());
    return Math.min(earliestPrompt, earliestSequence);
  }

  @Override
  public boolean lost() {
    passBy(device.now());
    return lost;
  }

  /// Looks anew when a deadline has been lost.
  private void passBy(long now) {
    if (nextLoss < now) {
      refresh();
    }
  }

  @Override
  public long waitsSince() {
    return couldRunSince;
  }

  @Override
  public boolean hasPrompt() {
    return !prompts.isEmpty();
  }

  @Override
  public int quota() {
    return prompts.isEmpty() ? function.model.quota() : 1;
  }

  @Override
  public RefinedProfile times() {
    return times;
  }

  @Override
  public long tokenNanos() {
    return function.target.tokenNanos();
  }

  @Override
  public int batch() {
    return prompts.size() + sequences.size();
  }

  @Override
  public long contextTokens() {
    return contextTokens;
  }

  @Override
  public long neededTokens() {
    return neededTokens;
  }

  @Override
  public long plannedTokens() {
    return plannedTokens;
  }

  @Override
  public long bytesPerToken() {
    return function.model.kvBytesPerToken();
  }

  @Override
  public long unplannedBytes() {
    return 0;
  }

  @Override
  public List<SimRequest> prompts() {
    return prompts;
  }

  @Override
  public long tokensDueAt() {
    return earliestSequence;
  }

  @Override
  public long readyAt() {
    return readyAt;
  }

  @Override
  public SimDevice device() {
    return device;
  }

  @Override
  public long plannedBytes() {
    return state == State.LEAVING ? 0 : bytesFor(plannedTokens);
  }

  @Override
  public int priority() {
    return function.priority;
  }

  /// A request is evicted at most twice, so evictions end however placement decides; and only one
  /// that can still be in time after it was loaded and computed anew.
  @Override
  public boolean preemptible() {
    return state == State.READY && all(sequences, loadNanos) && all(prompts, loadNanos);
  }

  private boolean all(List<SimRequest> requests, long load) {
    for (int i = 0; i < requests.size(); i++) {
      SimRequest request = requests.get(i);
      long again = load + 2 * times.prefillNanos(request.tokens());
      if (request.evictions >= MOST_EVICTIONS || request.deadline() - device.now() < again) {
        return false;
      }
    }
    return true;
  }

  @Override
  public double got() {
    return function.got(device.now());
  }

  @Override
  public long idleSince() {
    return idleSince;
  }

  @Override
  public double soon() {
    return device.foresees() ? function.arrivals.within(SOON_NANOS, device.now()) : 0;
  }

  long fixedBytes() {
    return bytesFor(0);
  }

  /// All bytes for so many KV tokens.
  long bytesFor(long tokens) {
    return device.bytesFor(function.model, tokens);
  }
}
