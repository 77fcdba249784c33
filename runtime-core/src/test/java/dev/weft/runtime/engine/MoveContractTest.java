package dev.weft.runtime.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.backend.KvType;
import dev.weft.runtime.engine.Engine.DecoderInstance;
import dev.weft.runtime.sampling.SampledToken;
import dev.weft.runtime.sampling.SamplingParameters;
import dev.weft.runtime.transfer.KvTransferException;
import dev.weft.runtime.transfer.KvTransferException.Reason;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// What an engine promises of a sequence that is stopped and goes on in another one with the keys
/// and values that it had: the same tokens with the same likelihoods, whatever happens to the keys
/// and values on their way.
@Timeout(300)
public abstract class MoveContractTest extends EngineFixture {
  private static final String MODEL = "ab".repeat(32);
  private static final int TOLD = 23;

  private int blockTokens;

  /// A new backend whose KV blocks hold so many tokens; 0 leaves it to the backend.
  protected abstract Backend open(int blockTokens);

  /// Whether sums may come out otherwise where blocks have another size.
  protected boolean sumsFollowBlocks() {
    return false;
  }

  @Override
  protected final Backend open() {
    return open(blockTokens);
  }

  /// Greedy, with the likelihoods of what was and was not chosen.
  private static Requests request() {
    return Requests.of(tokens(60, 3))
        .maxTokens(100)
        .ignoringEnd()
        .sampling(new SamplingParameters(0, 0, 1, 0, 0, 0, 1, Map.of(), 0, 3));
  }

  private List<SampledToken> whole() {
    try (var instance = instance(64, 128, 256)) {
      return request().run(instance).tokens();
    }
  }

  /// A generation that was stopped after some tokens.
  @SuppressWarnings("ArrayRecordComponent")
  private record Stopped(int[] told, List<SampledToken> tokens, KvExport kept) {
    int[] text() {
      return IntStream.concat(IntStream.of(request().prompt()), IntStream.of(told)).toArray();
    }
  }

  /// Holds the device's thread at a token until it is released.
  private static final class Pausing implements GenerationListener {
    private final RecordingListener heard = new RecordingListener();
    private final CountDownLatch reached = new CountDownLatch(1);
    private final CountDownLatch released = new CountDownLatch(1);
    private int count;

    @Override
    public void onTokens(String text, List<SampledToken> tokens) {
      heard.onTokens(text, tokens);
      count += tokens.size();
      if (count == TOLD) {
        reached.countDown();
        await(released);
      }
    }

    @Override
    public void onFinish(FinishReason reason, Usage usage) {
      heard.onFinish(reason, usage);
    }

    @Override
    public void onError(GenerationError error) {
      heard.onError(error);
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  /// Stops an instance whose request has got so many tokens, and the next one.
  private Stopped stop(DecoderInstance instance) {
    var listener = new Pausing();
    assertThat(instance.submit(request().build(), listener))
        .isInstanceOf(Engine.Submission.Admitted.class);
    await(listener.reached);
    var stopping = Thread.ofPlatform().start(instance::stop);
    // Until it waits for the device's thread, which waits here.
    while (stopping.getState() != Thread.State.WAITING) {
      Thread.onSpinWait();
    }
    listener.released.countDown();
    var end = listener.heard.await();
    assertThat(end.code()).isEqualTo(GenerationListener.GenerationError.Code.UNLOADED);
    int[] told = end.ids().stream().mapToInt(Integer::intValue).toArray();
    return new Stopped(told, end.tokens(), end.error().orElseThrow().kept().orElseThrow());
  }

  private static byte[] export(KvExport kept, int first) {
    var out = new ByteArrayOutputStream();
    try {
      kept.write(MODEL, first, out);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    return out.toByteArray();
  }

  /// All tokens of the request, those that came after it was moved included.
  private List<SampledToken> goOn(Stopped stopped, DecoderInstance to) {
    var listener = new RecordingListener();
    assertThat(to.submit(request().build().after(stopped.told()), listener))
        .isInstanceOf(Engine.Submission.Admitted.class);
    var all = new ArrayList<>(stopped.tokens());
    all.addAll(listener.await().tokens());
    return all;
  }

  @ParameterizedTest
  @EnumSource(KvType.class)
  void aMovedSequenceGoesOnAsIfItHadStayed(KvType type) throws IOException {
    kvType = type;
    List<SampledToken> whole = whole();
    try (var from = instance(64, 128, 256);
        var to = instance(64, 128, 256)) {
      Stopped stopped = stop(from);
      int computed = request().prompt().length + stopped.told().length - 1;
      assertThat(stopped.kept().tokens()).isEqualTo(computed);
      byte[] bytes = export(stopped.kept(), 0);
      stopped.kept().close();
      long rows = prefillRows.get();
      int tokensPerBlock = to.load().tokensPerBlock();
      try (KvArrival arrival = to.arrive(stopped.text()).orElseThrow()) {
        assertThat(arrival.known()).isZero();
        assertThat(arrival.missing()).isEqualTo(computed / tokensPerBlock * tokensPerBlock);
        assertThat(to.load().blocksPlanned()).as("planned before they come").isPositive();
        arrival.take(new ByteArrayInputStream(bytes), MODEL);
        assertThat(arrival.taken()).isEqualTo(arrival.missing());
        assertThat(goOn(stopped, to)).isEqualTo(whole);
      }
      assertThat(prefillRows.get() - rows)
          .as("rows computed again: of the block that was not full")
          .isLessThanOrEqualTo(tokensPerBlock);
    }
  }

  /// What comes out of blocks of another size is what went in.
  @ParameterizedTest
  @EnumSource(KvType.class)
  void blocksMayHaveAnotherSizeThere(KvType type) throws IOException {
    kvType = type;
    blockTokens = 12;
    List<SampledToken> whole = whole();
    try (var from = instance(64, 128, 256)) {
      Stopped stopped = stop(from);
      byte[] bytes = export(stopped.kept(), 0);
      for (int other : new int[] {5, 8, 32}) {
        blockTokens = other;
        try (var to = instance(64, 128, 256)) {
          assertThat(to.load().tokensPerBlock()).isEqualTo(other);
          try (KvArrival arrival = to.arrive(stopped.text()).orElseThrow()) {
            arrival.take(new ByteArrayInputStream(bytes), MODEL);
            assertThat(arrival.taken()).isEqualTo(arrival.missing()).isPositive();
            List<SampledToken> moved = goOn(stopped, to);
            if (sumsFollowBlocks()) {
              assertThat(moved)
                  .extracting(SampledToken::token)
                  .isEqualTo(whole.stream().map(SampledToken::token).toList());
            } else {
              assertThat(moved).isEqualTo(whole);
            }
          }
        }
      }
    }
  }

  @Test
  void onlyWhatIsNotKnownHasToCome() throws IOException {
    List<SampledToken> whole = whole();
    try (var from = instance(64, 128, 256);
        var to = instance(64, 128, 256)) {
      Stopped stopped = stop(from);
      // The same prompt was there already.
      Requests.of(request().prompt()).maxTokens(1).run(to);
      int tokensPerBlock = to.load().tokensPerBlock();
      try (KvArrival arrival = to.arrive(stopped.text()).orElseThrow()) {
        int known = request().prompt().length / tokensPerBlock * tokensPerBlock;
        assertThat(arrival.known()).isEqualTo(known);
        byte[] all = export(stopped.kept(), 0);
        byte[] rest = export(stopped.kept(), known);
        assertThat(all.length - rest.length)
            .isEqualTo(known * (int) (arrival.tokenBytes() + Integer.BYTES));
        assertThatThrownBy(() -> arrival.take(new ByteArrayInputStream(all), MODEL))
            .isInstanceOf(KvTransferException.class);
        arrival.take(new ByteArrayInputStream(rest), MODEL);
        assertThat(goOn(stopped, to)).isEqualTo(whole);
      }
    }
  }

  /// A sender that dies midway, a broken byte, another text, another model: what came whole is
  /// used, and the rest is computed.
  @Test
  void whateverGoesWrongChangesNoAnswer() {
    List<SampledToken> whole = whole();
    try (var from = instance(64, 128, 256)) {
      Stopped stopped = stop(from);
      byte[] bytes = export(stopped.kept(), 0);
      byte[] cut = Arrays.copyOf(bytes, bytes.length / 2);
      byte[] broken = bytes.clone();
      broken[bytes.length * 2 / 3] ^= 4;
      assertThat(failure(stopped, cut, MODEL, whole)).isEqualTo(Reason.TRUNCATED);
      assertThat(failure(stopped, broken, MODEL, whole)).isEqualTo(Reason.CORRUPT);
      assertThat(failure(stopped, new byte[0], MODEL, whole)).isEqualTo(Reason.TRUNCATED);
      assertThat(failure(stopped, bytes, "cd".repeat(32), whole)).isEqualTo(Reason.MODEL);
      int[] elsewhere = stopped.text();
      elsewhere[2]++;
      assertThat(failure(elsewhere, stopped, bytes, MODEL, whole)).isEqualTo(Reason.TOKENS);
    }
  }

  private Reason failure(Stopped stopped, byte[] bytes, String model, List<SampledToken> whole) {
    return failure(stopped.text(), stopped, bytes, model, whole);
  }

  private Reason failure(
      int[] text, Stopped stopped, byte[] bytes, String model, List<SampledToken> whole) {
    try (var to = instance(64, 128, 256)) {
      try (KvArrival arrival = to.arrive(text).orElseThrow()) {
        var failure =
            catchThrowableOfType(
                KvTransferException.class,
                () -> arrival.take(new ByteArrayInputStream(bytes), model));
        assertThat(goOn(stopped, to)).isEqualTo(whole);
        return failure.reason();
      }
    }
  }

  @Test
  void whereThereIsNoMemoryNothingArrives() {
    try (var from = instance(64, 128, 256)) {
      Stopped stopped = stop(from);
      int needed = stopped.text().length / from.load().tokensPerBlock();
      try (var to = instance(needed - 1, 128, 256)) {
        assertThat(to.arrive(stopped.text())).isEmpty();
        assertThat(to.load().blocksPlanned()).isZero();
      }
    }
  }

  @Test
  void whatIsKeptGoesWithItsInstanceOrWhenNobodyWantsIt() {
    var from = instance(64, 128, 256);
    Stopped stopped = stop(from);
    assertThat(from.load().blocksActual()).isPositive();
    from.awaitFetched(Duration.ZERO);
    assertThat(export(stopped.kept(), 0)).isNotEmpty();
    from.close();
    assertThat(
            catchThrowableOfType(
                    KvTransferException.class,
                    () -> stopped.kept().write(MODEL, 0, new ByteArrayOutputStream()))
                .reason())
        .isEqualTo(Reason.GONE);
    stopped.kept().close();

    try (var other = instance(64, 128, 256)) {
      Stopped again = stop(other);
      again.kept().close();
      other.awaitFetched(Duration.ofMinutes(1));
      assertThat(
              catchThrowableOfType(
                      KvTransferException.class,
                      () -> again.kept().write(MODEL, 0, new ByteArrayOutputStream()))
                  .reason())
          .isEqualTo(Reason.GONE);
    }
  }
}
