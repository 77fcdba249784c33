package dev.weft.runtime.gpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.weft.runtime.gpu.cuda.CudaContext;
import dev.weft.runtime.gpu.cuda.CudaStream;
import dev.weft.runtime.sampling.SampleRequest;
import dev.weft.runtime.sampling.SampleRequest.TokenHistory;
import dev.weft.runtime.sampling.SamplingParameters;
import java.lang.foreign.MemorySegment;
import java.util.Map;

/// What requests change of logits before tokens are chosen: `struct Adjustment` of `sampling.cuh`.
/// A request has one for each token that it changes, with all changes, whose order is the kernel's.
final class LogitAdjustments implements AutoCloseable {
  private static final long BYTES = 20;
  private static final long TOKEN = 0;
  private static final long FLAGS = 4;
  private static final long GENERATED = 8;
  private static final long BIAS = 12;
  private static final int BLOCKED = 1;
  private static final int REPEATED = 2;

  /// Of a request; there is more room where that is needed.
  private static final int USUAL = 256;

  private final MirroredBuffer buffer;

  /// Of each token the last adjustment that it had, of this request's if it is not before `first`.
  private final int[] last;

  private int first;
  private int count;

  LogitAdjustments(CudaContext context, int vocabularySize, int requests) {
    buffer = new MirroredBuffer(context, BYTES * USUAL * requests);
    last = new int[vocabularySize];
  }

  /// Forgets those that there are.
  void clear() {
    for (int i = 0; i < count; i++) {
      last[buffer.host().get(JAVA_INT, i * BYTES + TOKEN)] = 0;
    }
    count = 0;
  }

  /// Adds those of a request, and returns how many there are of all requests.
  int add(SampleRequest request) {
    SamplingParameters parameters = request.parameters();
    TokenHistory history = request.history();
    first = count;
    boolean repetition = parameters.repetitionPenalty() != 1;
    boolean generated = parameters.frequencyPenalty() != 0 || parameters.presencePenalty() != 0;
    int from = repetition ? 0 : generated ? history.promptLength() : history.length();
    long most =
        (long) parameters.logitBias().size()
            + request.blockedTokens().size()
            + Math.min(last.length, history.length() - from);
    buffer.require((count + most) * BYTES);
    MemorySegment to = buffer.host();
    for (Map.Entry<Integer, Float> bias : parameters.logitBias().entrySet()) {
      if (isToken(bias.getKey())) {
        to.set(JAVA_FLOAT, of(bias.getKey()) + BIAS, bias.getValue());
      }
    }
    for (int token : request.blockedTokens()) {
      if (isToken(token)) {
        flag(to, of(token), BLOCKED);
      }
    }
    for (int i = from; i < history.length(); i++) {
      long at = of(history.token(i));
      if (repetition) {
        flag(to, at, REPEATED);
      }
      if (generated && i >= history.promptLength()) {
        to.set(JAVA_INT, at + GENERATED, to.get(JAVA_INT, at + GENERATED) + 1);
      }
    }
    return count;
  }

  private boolean isToken(int token) {
    return token >= 0 && token < last.length;
  }

  private static void flag(MemorySegment to, long at, int flag) {
    to.set(JAVA_INT, at + FLAGS, to.get(JAVA_INT, at + FLAGS) | flag);
  }

  /// Where the request's adjustment of a token lies; a new one changes nothing.
  private long of(int token) {
    // They are numbered from 1, so that 0 is none.
    if (last[token] <= first) {
      MemorySegment to = buffer.host();
      long at = count * BYTES;
      to.set(JAVA_INT, at + TOKEN, token);
      to.set(JAVA_INT, at + FLAGS, 0);
      to.set(JAVA_INT, at + GENERATED, 0);
      to.set(JAVA_FLOAT, at + BIAS, 0);
      last[token] = ++count;
    }
    return (last[token] - 1) * BYTES;
  }

  int count() {
    return count;
  }

  /// Copies them to the device.
  void copy(CudaStream stream) {
    stream.copyToDevice(buffer.host().asSlice(0, count * BYTES), buffer.address());
  }

  /// Where they are on the device.
  long address() {
    return buffer.address();
  }

  @Override
  public void close() {
    buffer.close();
  }
}
