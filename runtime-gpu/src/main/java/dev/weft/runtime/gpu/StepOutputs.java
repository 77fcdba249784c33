package dev.weft.runtime.gpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.backend.StepResult;
import dev.weft.runtime.gpu.cuda.DeviceBuffer;
import dev.weft.runtime.gpu.cuda.PinnedBuffer;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.sampling.HostSampler;
import dev.weft.runtime.sampling.LogProbabilities;
import dev.weft.runtime.sampling.SampleRequest;
import dev.weft.runtime.sampling.SampledToken;
import dev.weft.runtime.sampling.SamplingException;
import dev.weft.runtime.sampling.SamplingParameters;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What a step gives: of each row that needs logits the largest one's index, tokens that are chosen
/// in any other way ([StepSampling]), and the logits themselves where they are asked for. A step
/// may be submitted before the tokens of the one before have been read; before its logits have
/// been, it may not.
final class StepOutputs implements AutoCloseable {
  private static final float[][] NO_LOGITS = {};

  private final GpuDevice device;
  private final DecoderSpec spec;
  private final int maxSequences;

  /// On the device, of each row of logits the token, or -1 where none can be chosen.
  private final DeviceBuffer chosen;

  private final PinnedBuffer ownLogits;
  private final List<StepAnswers> answers;

  /// Those of the step that was submitted last.
  private StepAnswers last;

  /// Where this step's logits are on the host: [#ownLogits], or memory for more rows than that.
  private MemorySegment logits;

  private @Nullable Arena moreOnHost;
  private @Nullable DeviceBuffer moreOnDevice;

  /// Where the step's logits lie on the device.
  private long address;

  /// @param arena for as long as this is used
  StepOutputs(GpuDevice device, DecoderSpec spec, CompileOptions options, Arena arena) {
    this.device = device;
    this.spec = spec;
    maxSequences = options.maxSequences();
    chosen = new DeviceBuffer(device.context(), (long) options.maxBatchTokens() * Integer.BYTES);
    try {
      ownLogits = new PinnedBuffer(device.context(), maxSequences * rowBytes());
      try {
        answers = answers(options, arena);
      } catch (RuntimeException | Error e) {
        ownLogits.close();
        throw e;
      }
    } catch (RuntimeException | Error e) {
      chosen.close();
      throw e;
    }
    last = answers.getFirst();
    logits = ownLogits.segment();
  }

  private List<StepAnswers> answers(CompileOptions options, Arena arena) {
    var one = new StepAnswers(device, spec.vocabularySize(), options, arena);
    try {
      return List.of(one, new StepAnswers(device, spec.vocabularySize(), options, arena));
    } catch (RuntimeException | Error e) {
      one.close();
      throw e;
    }
  }

  /// Where tokens that are chosen lie on the device, in the order of the rows of logits.
  long chosen() {
    return chosen.address();
  }

  /// A step begins. Returns where its tokens come to; of use until the next step but one begins.
  StepAnswers begin() {
    last = answers.get(last.equals(answers.getFirst()) ? 1 : 0);
    return last;
  }

  private long rowBytes() {
    return (long) spec.vocabularySize() * Float.BYTES;
  }

  /// Where the step's logits are to go: into the scratch, or, where there are more rows of them
  /// than sequences (scoring prompts, checking many drafts), into memory for this step alone.
  long place(ScratchLayout scratch, long at) {
    releaseMore();
    int rows = scratch.logitRows();
    if (rows <= maxSequences) {
      logits = ownLogits.segment();
      return at + scratch.logits();
    }
    var buffer = new DeviceBuffer(device.context(), rows * rowBytes());
    moreOnDevice = buffer;
    Arena arena = Arena.ofShared();
    moreOnHost = arena;
    logits = arena.allocate(rows * rowBytes(), Float.BYTES);
    return buffer.address();
  }

  /// Submits the choice of tokens, and the copies of what the batch asks for.
  ///
  /// @param from where so many rows of logits are
  void copy(StepBatch batch, int logitRows, long from) {
    address = from;
    device.stream()
        .copyToHost(
            chosen(), last.largest().segment().asSlice(0, (long) logitRows * Integer.BYTES));
    StepSampling sampling = last.sampling();
    sampling.begin();
    int row = 0;
    for (StepBatch.Entry entry : batch.entries()) {
      int rows = entry.logitRows();
      if (entry.keepLogits()) {
        copyToHost(row, rows);
      }
      int next = row + rows - entry.samples().size();
      for (SampleRequest request : entry.samples()) {
        if (!takesLargest(request)) {
          last.requests()[next] = sampling.add(request, next);
        }
        next++;
      }
      row += rows;
    }
    sampling.submit(from, chosen());
  }

  private void copyToHost(int row, int rows) {
    device.stream()
        .copyToHost(
            address + row * rowBytes(), logits.asSlice(row * rowBytes(), rows * rowBytes()));
  }

  private static boolean takesLargest(SampleRequest request) {
    SamplingParameters parameters = request.parameters();
    return parameters.greedy()
        && parameters.topLogprobs() < 0
        && parameters.logitBias().isEmpty()
        && request.blockedTokens().isEmpty()
        && parameters.repetitionPenalty() == 1
        && parameters.frequencyPenalty() == 0
        && parameters.presencePenalty() == 0;
  }

  /// Of a step that is done.
  ///
  /// @param of where its tokens came to
  StepResult result(StepBatch batch, StepAnswers of) {
    var results = new ArrayList<StepResult.Entry>(batch.entries().size());
    int row = 0;
    for (StepBatch.Entry entry : batch.entries()) {
      results.add(result(entry, row, of));
      row += entry.logitRows();
    }
    if (of.equals(last)) {
      releaseMore();
    }
    return new StepResult(results);
  }

  private StepResult.Entry result(StepBatch.Entry entry, int firstRow, StepAnswers of) {
    int rows = entry.logitRows();
    int before = entry.tokens().length - rows;
    List<SampledToken> sampled =
        entry.sample((row, request) -> sample(request, firstRow + row - before, of));
    return new StepResult.Entry(sampled, entry.keepLogits() ? rows(firstRow, rows) : NO_LOGITS);
  }

  private SampledToken sample(SampleRequest request, int row, StepAnswers of) {
    if (!takesLargest(request)) {
      return of.sampling()
          .take(of.requests()[row], request)
          .orElseGet(() -> onHost(request, row, of));
    }
    int best = of.largest().segment().getAtIndex(JAVA_INT, row);
    return best >= 0 ? LogProbabilities.unscored(best) : onHost(request, row, of);
  }

  /// Of logits that no token can be chosen from: the sampler says what is wrong with them, unless
  /// the next step has been submitted, which writes where they lie.
  private SampledToken onHost(SampleRequest request, int row, StepAnswers of) {
    if (!of.equals(last)) {
      throw new SamplingException("no token can be chosen from a row of logits");
    }
    copyToHost(row, 1);
    device.stream().synchronize();
    return new HostSampler().sample(rows(row, 1)[0], request);
  }

  private float[][] rows(int firstRow, int rows) {
    float[][] copies = new float[rows][spec.vocabularySize()];
    for (int row = 0; row < rows; row++) {
      copyRow(firstRow + row, copies[row]);
    }
    return copies;
  }

  private void copyRow(int row, float[] to) {
    MemorySegment.copy(logits, JAVA_FLOAT, row * rowBytes(), to, 0, spec.vocabularySize());
  }

  private void releaseMore() {
    logits = ownLogits.segment();
    DeviceBuffer buffer = moreOnDevice;
    if (buffer != null) {
      moreOnDevice = null;
      buffer.close();
    }
    Arena arena = moreOnHost;
    if (arena != null) {
      moreOnHost = null;
      arena.close();
    }
  }

  @Override
  public void close() {
    releaseMore();
    answers.forEach(StepAnswers::close);
    ownLogits.close();
    chosen.close();
  }
}
