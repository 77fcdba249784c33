package dev.weft.bench.live;

import dev.weft.autoscaler.scheduling.TokenTarget;
import dev.weft.bench.models.BenchModels;
import dev.weft.bench.models.GgufFormat;
import dev.weft.bench.models.ModelShape;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/// One of the functions that are called. Each is deployed with a promise that is earlier by a
/// twentieth than what callers hold it to, as the simulator's policies aim.
///
/// @param model a file
record LiveFunction(String name, ModelShape shape, Path model) {
  static final int COUNT = 8;
  static final int CONTEXT = 1_024;

  /// What callers are promised. With prompts of [Slice#MOST_PROMPT_TOKENS] at most the first token
  /// is due after the same time for all, as a function's manifest has it.
  static final TokenTarget PROMISE = TokenTarget.byPromptLength();

  private static final double AIM = 0.95;

  private static final ModelShape HALF = shape("half-80m", 20, 512, 1_408, 8, 2);
  private static final ModelShape THIRD = shape("third-45m", 16, 384, 1_024, 6, 2);
  private static final ModelShape TENTH = shape("tenth-20m", 8, 256, 768, 4, 2);

  /// Functions have these in turn, the most called first.
  static final List<ModelShape> SHAPES = List.of(ModelShape.SMOLLM2_135M, TENTH, HALF, THIRD);

  private static ModelShape shape(
      String name, int layers, int hidden, int intermediate, int heads, int kvHeads) {
    ModelShape like = ModelShape.SMOLLM2_135M;
    return new ModelShape(
        name,
        like.qwen2(),
        like.vocabulary(),
        like.context(),
        layers,
        hidden,
        intermediate,
        heads,
        kvHeads,
        like.headSize(),
        like.normEpsilon(),
        like.theta());
  }

  /// All of them, the most called first.
  static List<LiveFunction> all(BenchModels models) {
    List<LiveFunction> functions = new ArrayList<>();
    for (int i = 0; i < COUNT; i++) {
      ModelShape shape = SHAPES.get(i % SHAPES.size());
      functions.add(new LiveFunction("live-" + i, shape, models.gguf(shape, GgufFormat.Q8_0)));
    }
    return functions;
  }

  /// Keys and values of a token, in 16 bits.
  long kvBytesPerToken() {
    return 2L * 2 * shape.layers() * shape.kvHeads() * shape.headSize();
  }

  String manifest() {
    return String.format(
        Locale.ROOT,
        """
        {"apiVersion": "weft.dev/v1alpha1", "kind": "Function", "metadata": {"name": "%s"},
         "spec": {
           "serviceLevel": {"ttft": "%dms", "tpot": "%dms"},
           "scaling": {"max": 2},
           "model": {"contextLength": %d, "sources": ["file:%s"]}}}
        """,
        name,
        millis(PROMISE.firstNanos(1)),
        millis(PROMISE.tokenNanos()),
        CONTEXT,
        model.toAbsolutePath());
  }

  private static long millis(long promisedNanos) {
    return (long) (promisedNanos * AIM / 1e6);
  }
}
