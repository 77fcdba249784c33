package dev.weft.runtime.instance;

import dev.weft.functions.DeviceClass;
import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Arrival;
import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.DecoderMemory;
import dev.weft.runtime.backend.EncoderExecutable;
import dev.weft.runtime.backend.FakeDecoder;
import dev.weft.runtime.backend.KvLayout;
import dev.weft.runtime.backend.ReferenceBackend;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.memory.ChunkMemory;
import dev.weft.runtime.memory.PlainChunkMemory;
import dev.weft.runtime.memory.Scratch;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.EncoderSpec;
import dev.weft.runtime.model.ModelSpec;
import dev.weft.runtime.weights.Weights;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/// A backend whose decoders say a fixed text after the last line break of their prompt, over and
/// over where they are not allowed to end. Encoders are the reference's. Sizes are the test's to
/// set; compiling and stepping can be held or made to fail.
public final class ScriptedBackend implements Backend {
  public static final int BLOCK_TOKENS = 16;
  public static final long BLOCK_BYTES = 64;
  public static final long WEIGHT_BYTES = 1_000;

  /// In the tiny models' vocabulary: the end of a turn, and byte 0.
  private static final int END_OF_TURN = 2;

  private static final int FIRST_BYTE = 3;
  private static final int LINE_BREAK = FIRST_BYTE + '\n';

  private final ReferenceBackend reference = new ReferenceBackend(1);
  private final List<FakeDecoder> decoders = new CopyOnWriteArrayList<>();
  private final byte[] text;
  private volatile Runnable onCompile = () -> {};
  private volatile Consumer<StepBatch> onStep = _ -> {};
  private volatile Arrival arrival = Arrival.DONE;
  private final AtomicInteger compiled = new AtomicInteger();

  public ScriptedBackend(String text) {
    this.text = text.getBytes(StandardCharsets.UTF_8);
  }

  public void onCompile(Runnable hook) {
    onCompile = hook;
  }

  /// Called on the device's thread before each step of a decoder.
  public void onStep(Consumer<StepBatch> hook) {
    onStep = hook;
  }

  /// How weights of decoders come that are compiled from now on.
  public void arriving(Arrival weights) {
    arrival = weights;
  }

  public int compiled() {
    return compiled.get();
  }

  /// Whether every decoder that was compiled has been closed.
  public boolean allClosed() {
    return decoders.stream().allMatch(FakeDecoder::closed);
  }

  @Override
  public String name() {
    return "scripted";
  }

  @Override
  public DeviceClass deviceClass() {
    return DeviceClass.CPU;
  }

  @Override
  public Set<Quantization> quantizations() {
    return Set.of(Quantization.NONE, Quantization.AUTO);
  }

  @Override
  public Footprint footprint(ModelSpec spec, Weights weights, CompileOptions options) {
    return switch (spec) {
      case DecoderSpec _ -> new Footprint(WEIGHT_BYTES, 0, new KvLayout(BLOCK_TOKENS, BLOCK_BYTES));
      case EncoderSpec _ -> new Footprint(WEIGHT_BYTES, 0, KvLayout.NONE);
    };
  }

  @Override
  public ChunkMemory openMemory(long bytes) {
    return new PlainChunkMemory(BLOCK_BYTES, bytes);
  }

  @Override
  public DecoderExecutable compile(
      DecoderSpec spec, Weights weights, CompileOptions options, DecoderMemory memory) {
    onCompile.run();
    compiled.incrementAndGet();
    FakeDecoder decoder =
        new FakeDecoder(
                options.kvBlockCount(),
                BLOCK_TOKENS,
                tokens -> logits(tokens, spec.vocabularySize()))
            .beforeStep(batch -> onStep.accept(batch))
            .arriving(arrival)
            .onClose(memory::close);
    decoders.add(decoder);
    return decoder;
  }

  @Override
  public EncoderExecutable compile(
      EncoderSpec spec, Weights weights, CompileOptions options, Scratch scratch) {
    onCompile.run();
    compiled.incrementAndGet();
    return reference.compile(spec, weights, options, scratch);
  }

  @Override
  public void close() {
    reference.close();
  }

  private float[] logits(int[] tokens, int vocabulary) {
    int said = 0;
    while (said < tokens.length && tokens[tokens.length - 1 - said] != LINE_BREAK) {
      said++;
    }
    float[] logits = new float[vocabulary];
    if (said >= text.length) {
      logits[END_OF_TURN] = 20;
    }
    // The second choice, for those whose end is blocked.
    logits[FIRST_BYTE + (text[said % text.length] & 0xff)] = 10;
    return logits;
  }
}
