package dev.weft.bench.gpu;

import dev.weft.bench.models.ModelShape;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.OptionalLong;
import java.util.stream.IntStream;

/// How large what [ElasticPart] measures is.
///
/// @param capacity of the device's memory; as a runtime takes it where it is not named
/// @param prompts tokens of the first requests' prompts; further requests begin anew
/// @param answer tokens of each
/// @param burst requests at once
/// @param steps that are measured
/// @param limit for them
/// @param reservedRows the longest prompt that activations are reserved for
/// @param fillingPrompt tokens of prompts that take all memory together, but for less than one
///   takes
/// @param computedPrompt tokens of a prompt that is computed
/// @param calls of the driver that are measured
record ElasticSizes(
    ModelShape shape,
    OptionalLong capacity,
    EngineRun.Bounds bounds,
    List<Integer> prompts,
    int answer,
    int burst,
    int steps,
    Duration limit,
    int reservedRows,
    int fillingPrompt,
    int computedPrompt,
    int calls) {
  ElasticSizes {
    prompts = List.copyOf(prompts);
  }

  /// Of an H200: prompts of 64K to 128K tokens, so that KV memory is what lacks.
  static final ElasticSizes LARGE =
      new ElasticSizes(
          ModelShape.LLAMA_3_1_8B,
          OptionalLong.empty(),
          new EngineRun.Bounds(131_072, 8192, 32),
          List.of(65_536, 98_304, 130_816, 81_920, 114_688),
          256,
          24,
          40,
          Duration.ofSeconds(45),
          262_144,
          32_768,
          65_536,
          256);

  /// The requests' prompts.
  List<Integer> burstPrompts() {
    return IntStream.range(0, burst).mapToObj(i -> prompts.get(i % prompts.size())).toList();
  }

  /// Prompts of as many sequences as can run.
  List<Integer> fillingPrompts() {
    return Collections.nCopies(bounds.sequences(), fillingPrompt);
  }

  /// What a step of so many rows has in bfloat16 at one time, at the least: its residual and its
  /// normalized rows, and gates, ups and what is made of them.
  static long reservedBytes(ModelShape shape, int rows) {
    return 2L * rows * (2L * shape.hidden() + 3L * shape.intermediate());
  }
}
