package dev.weft.runtime.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.TinyModels;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Requests that have to make way for each other, together and alone.
abstract class SwapFixture extends EngineFixture {
  /// Fewer than two of the requests need.
  static final int KV_BLOCKS = 10;

  Path swapPath() {
    return directory.resolve("swap");
  }

  static List<Requests> requests() {
    var requests = new ArrayList<Requests>();
    for (int i = 0; i < 8; i++) {
      var request = request(30 + 4 * i, i);
      requests.add(i % 2 == 0 ? request : request.seed(i));
    }
    return requests;
  }

  /// Runs requests together, twice, where there is room for one or two of them.
  void assertSameOnFewBlocks(List<Requests> requests, List<List<Integer>> alone) {
    swappedOut.set(0);
    swappedIn.set(0);
    swapFailures.set(0);
    preemptions.set(0);
    prefillRows.set(0);
    refusals.clear();
    clock = timed;
    try (var instance = instance(KV_BLOCKS, 128, 0)) {
      assertThat(runTogether(instance, requests)).isEqualTo(alone);
      assertThat(runTogether(instance, requests.reversed())).isEqualTo(alone.reversed());
      assertThat(instance.load().blocksActual()).isZero();
    }
    assertThat(preemptions.get()).isPositive();
    assertThat(swap.taken()).as("all is given back").isZero();
    assertThat(swappedIn.get()).isLessThanOrEqualTo(swappedOut.get());
  }

  long blockBytes() {
    try (var model = ModelFiles.open(TinyModels.llama(directory, 7).writeGguf());
        var backend = open()) {
      var options = new CompileOptions(quantization(), kvType, CONTEXT, 8, 8, 8);
      return backend.footprint(model.spec(), model.weights(), options).kv().blockBytes();
    }
  }

  int blockTokens() {
    try (var instance = instance(KV_BLOCKS, 8, 0)) {
      return instance.load().tokensPerBlock();
    }
  }
}
