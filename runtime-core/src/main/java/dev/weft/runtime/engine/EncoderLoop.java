package dev.weft.runtime.engine;

import dev.weft.autoscaler.admission.InstanceLoad;
import dev.weft.functions.RevisionId;
import dev.weft.functions.ServiceLevel;
import dev.weft.runtime.backend.EncoderExecutable;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// An encoder at work. Each step takes texts up to a budget of tokens from the jobs in turn, so
/// that a job of thousands of texts holds up neither a small one nor the streams of a decoder.
final class EncoderLoop implements Engine.EncoderInstance, Work {
  private static final Logger log = LoggerFactory.getLogger(EncoderLoop.class);

  /// Texts that may wait, of all jobs together; one job is taken whatever its size.
  private static final int MAX_WAITING_TEXTS = 16_384;

  private final RevisionId revision;
  private final EncoderExecutable executable;
  private final ServiceLevel serviceLevel;
  private final StepPace pace;
  private final EngineObserver observer;
  private final DeviceThread device;
  private final ArrayDeque<Job> jobs = new ArrayDeque<>();
  private final AtomicInteger outstandingTexts = new AtomicInteger();
  private final AtomicInteger outstandingJobs = new AtomicInteger();
  private volatile boolean closing;
  private boolean closed;

  /// Texts of one call and their vectors so far.
  private static final class Job {
    final List<int[]> texts;
    final List<float[]> vectors;
    final CompletableFuture<List<float[]>> future = new CompletableFuture<>();
    final long due;

    Job(List<int[]> texts, long due) {
      this.texts = List.copyOf(texts);
      this.due = due;
      vectors = new ArrayList<>(texts.size());
    }
  }

  /// Texts `vectors.size()` and on of one job, in one step.
  private record Share(Job job, List<int[]> texts) {}

  EncoderLoop(
      RevisionId revision,
      EncoderExecutable executable,
      ServiceLevel serviceLevel,
      int stepTokens,
      EngineObserver observer,
      DeviceThread device) {
    this.revision = revision;
    this.executable = executable;
    this.serviceLevel = serviceLevel;
    pace = new StepPace(stepTokens);
    this.observer = observer;
    this.device = device;
  }

  @Override
  public RevisionId revision() {
    return revision;
  }

  @Override
  public Engine.Load load() {
    return new Engine.Load(0, outstandingJobs.get(), 0, 0, 0, 0, null);
  }

  @Override
  public CompletableFuture<List<float[]>> embed(List<int[]> texts) {
    if (texts.isEmpty()) {
      return CompletableFuture.completedFuture(List.of());
    }
    if (closing) {
      return unloaded();
    }
    int before = outstandingTexts.getAndAdd(texts.size());
    if (before > 0 && before + texts.size() > MAX_WAITING_TEXTS) {
      outstandingTexts.addAndGet(-texts.size());
      return full(before);
    }
    outstandingJobs.incrementAndGet();
    var job = new Job(texts, device.nanoTime() + serviceLevel.ttft().toNanos());
    if (!device.offer(() -> accept(job))) {
      leave(job);
      return closing ? unloaded() : full(before);
    }
    return job.future;
  }

  private static CompletableFuture<List<float[]>> unloaded() {
    return failed(EmbeddingException.Code.UNLOADED, "the instance is being unloaded");
  }

  private static CompletableFuture<List<float[]>> full(int waiting) {
    return failed(EmbeddingException.Code.QUEUE_FULL, waiting + " texts wait already");
  }

  private static CompletableFuture<List<float[]>> failed(
      EmbeddingException.Code code, String message) {
    return CompletableFuture.failedFuture(new EmbeddingException(code, message));
  }

  private void accept(Job job) {
    jobs.addLast(job);
    if (closed) {
      fail(job, EmbeddingException.Code.UNLOADED, "the instance was unloaded");
    }
  }

  @Override
  public boolean hasWork() {
    return !jobs.isEmpty();
  }

  @Override
  public long due() {
    return jobs.stream().mapToLong(job -> job.due).min().orElse(Long.MAX_VALUE);
  }

  @Override
  public long longestBeside() {
    return PrefillPace.longestBeside(serviceLevel);
  }

  @Override
  public int priority() {
    return serviceLevel.priority();
  }

  @Override
  public int quota() {
    return 1;
  }

  /// How long its steps take is not measured.
  @Override
  public Optional<InstanceLoad> demand() {
    return Optional.empty();
  }

  @Override
  public void turn() {
    for (Job job : List.copyOf(jobs)) {
      if (job.future.isDone()) {
        jobs.remove(job);
        leave(job);
      }
    }
    var shares = new ArrayList<Share>();
    int budget = pace.rows();
    for (int i = jobs.size(); i > 0 && (budget > 0 || shares.isEmpty()); i--) {
      Job job = jobs.removeFirst();
      jobs.addLast(job);
      var share = share(job, budget, shares.isEmpty());
      if (!share.texts().isEmpty()) {
        shares.add(share);
      }
      budget -= share.texts().stream().mapToInt(text -> text.length).sum();
    }
    if (!shares.isEmpty()) {
      step(shares);
    }
  }

  /// The next texts of a job that fit the budget; at least one when `first`, as a text is not
  /// split.
  private static Share share(Job job, int tokenBudget, boolean first) {
    int budget = tokenBudget;
    int from = job.vectors.size();
    int to = from;
    while (to < job.texts.size()) {
      int length = job.texts.get(to).length;
      if (length > budget && !(first && to == from)) {
        break;
      }
      budget -= length;
      to++;
    }
    return new Share(job, job.texts.subList(from, to));
  }

  private void step(List<Share> shares) {
    var texts = new ArrayList<int[]>();
    shares.forEach(share -> texts.addAll(share.texts()));
    List<float[]> vectors;
    long start = device.nanoTime();
    try {
      vectors = executable.forward(texts);
      if (vectors.size() != texts.size()) {
        throw new IllegalStateException(
            "%d texts gave %d vectors".formatted(texts.size(), vectors.size()));
      }
    } catch (RuntimeException | Error e) {
      stepFailed(shares, e);
      return;
    }
    long nanos = device.nanoTime() - start;
    int tokens = texts.stream().mapToInt(text -> text.length).sum();
    pace.took(tokens, nanos);
    observer.onEmbeddingStep(revision, Duration.ofNanos(nanos), texts.size(), tokens);
    int taken = 0;
    for (Share share : shares) {
      take(share.job(), vectors.subList(taken, taken + share.texts().size()));
      taken += share.texts().size();
    }
  }

  private void stepFailed(List<Share> shares, Throwable cause) {
    observer.onStepFailed(revision, cause);
    log.atError()
        .setCause(cause)
        .addKeyValue("revision", revision)
        .addKeyValue("jobs", shares.size())
        .log("a step failed");
    if (shares.size() == 1) {
      fail(shares.getFirst().job(), EmbeddingException.Code.INTERNAL, "a step of the model failed");
      return;
    }
    for (Share share : shares) {
      step(List.of(share));
    }
  }

  private void take(Job job, List<float[]> vectors) {
    job.vectors.addAll(vectors);
    if (job.vectors.size() == job.texts.size() && jobs.remove(job)) {
      leave(job);
      job.future.complete(job.vectors);
    }
  }

  private void fail(Job job, EmbeddingException.Code code, String message) {
    if (jobs.remove(job)) {
      leave(job);
      job.future.completeExceptionally(new EmbeddingException(code, message));
    }
  }

  private void leave(Job job) {
    outstandingTexts.addAndGet(-job.texts.size());
    outstandingJobs.decrementAndGet();
  }

  @Override
  public void fail(Throwable cause) {
    observer.onStepFailed(revision, cause);
    List.copyOf(jobs)
        .forEach(job -> fail(job, EmbeddingException.Code.INTERNAL, "the engine failed"));
  }

  @Override
  public void close() {
    closing = true;
    device.call(this::end);
  }

  @Override
  public void end() {
    closing = true;
    if (closed) {
      return;
    }
    closed = true;
    List.copyOf(jobs)
        .forEach(job -> fail(job, EmbeddingException.Code.UNLOADED, "the instance was unloaded"));
    device.remove(this);
    executable.close();
  }
}
