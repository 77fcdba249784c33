package dev.weft.runtime.gpu;

import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.gpu.cuda.CudaEvent;
import dev.weft.runtime.gpu.cuda.PinnedBuffer;
import java.lang.foreign.Arena;

/// Where the tokens of one step come to on the host. Of two steps that are under way each has its
/// own.
final class StepAnswers implements AutoCloseable {
  /// Of each row of logits the largest one's index.
  private final PinnedBuffer largest;

  private final StepSampling sampling;

  /// Of each row of logits the number of its request; of use where its token is sampled.
  private final int[] requests;

  /// Stands behind the step.
  private final CudaEvent end;

  /// @param arena for as long as this is used
  StepAnswers(GpuDevice device, int vocabularySize, CompileOptions options, Arena arena) {
    requests = new int[options.maxBatchTokens()];
    end = CudaEvent.mark(device.context());
    try {
      largest = new PinnedBuffer(device.context(), (long) options.maxBatchTokens() * Integer.BYTES);
      try {
        sampling = new StepSampling(device, vocabularySize, options.maxSequences(), arena);
      } catch (RuntimeException | Error e) {
        largest.close();
        throw e;
      }
    } catch (RuntimeException | Error e) {
      end.close();
      throw e;
    }
  }

  PinnedBuffer largest() {
    return largest;
  }

  StepSampling sampling() {
    return sampling;
  }

  int[] requests() {
    return requests;
  }

  CudaEvent end() {
    return end;
  }

  @Override
  public void close() {
    sampling.close();
    largest.close();
    end.close();
  }
}
