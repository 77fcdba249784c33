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
import dev.weft.runtime.sampling.SamplingParameters;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What a step gives: of each row that needs logits the largest one's index, tokens that are chosen
/// in any other way ([StepSampling]), and the logits themselves where they are asked for.
final class StepOutputs implements AutoCloseable {
  private static final float[][] NO_LOGITS = {};

  private final GpuDevice device;
  private final DecoderSpec spec;
  private final int maxSequences;
  private final PinnedBuffer largest;
  private final PinnedBuffer ownLogits;
  private final StepSampling sampling;

  /// Of each row of logits the number of its request; of use where its token is sampled.
  private final int[] requests;

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
    requests = new int[options.maxBatchTokens()];
    largest = new PinnedBuffer(device.context(), (long) options.maxBatchTokens() * Integer.BYTES);
    try {
      ownLogits = new PinnedBuffer(device.context(), maxSequences * rowBytes());
      try {
        sampling = new StepSampling(device, spec.vocabularySize(), maxSequences, arena);
      } catch (RuntimeException | Error e) {
        ownLogits.close();
        throw e;
      }
    } catch (RuntimeException | Error e) {
      largest.close();
      throw e;
    }
    logits = ownLogits.segment();
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
  void copy(StepBatch batch, ScratchLayout scratch, long at, long from) {
    address = from;
    device.stream()
        .copyToHost(
            at + scratch.largest(),
            largest.segment().asSlice(0, (long) scratch.logitRows() * Integer.BYTES));
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
          requests[next] = sampling.add(request, next);
        }
        next++;
      }
      row += rows;
    }
    sampling.submit(from, at + scratch.largest());
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
  StepResult result(StepBatch batch) {
    var results = new ArrayList<StepResult.Entry>(batch.entries().size());
    int row = 0;
    for (StepBatch.Entry entry : batch.entries()) {
      results.add(result(entry, row));
      row += entry.logitRows();
    }
    releaseMore();
    return new StepResult(results);
  }

  private StepResult.Entry result(StepBatch.Entry entry, int firstRow) {
    int rows = entry.logitRows();
    int before = entry.tokens().length - rows;
    List<SampledToken> sampled =
        entry.sample((row, request) -> sample(request, firstRow + row - before));
    return new StepResult.Entry(sampled, entry.keepLogits() ? rows(firstRow, rows) : NO_LOGITS);
  }

  private SampledToken sample(SampleRequest request, int row) {
    if (!takesLargest(request)) {
      return sampling.take(requests[row], request).orElseGet(() -> onHost(request, row));
    }
    int best = largest.segment().getAtIndex(JAVA_INT, row);
    return best >= 0 ? LogProbabilities.unscored(best) : onHost(request, row);
  }

  /// Of logits that no token can be chosen from: the sampler says what is wrong with them.
  private SampledToken onHost(SampleRequest request, int row) {
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
    sampling.close();
    ownLogits.close();
    largest.close();
  }
}
