package dev.weft.bench.cpu;

import dev.weft.bench.Peer;
import dev.weft.bench.models.BenchModels;
import dev.weft.bench.models.ModelShape;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/// What every part is given.
///
/// @param shapes the models to measure; a part leaves out those that it does not measure anyway
/// @param runtimeClassPath of Weft's runtime, where it is there
/// @param work for logs and the runtimes' state
record Setting(
    int rounds,
    int threads,
    BenchModels models,
    List<Peer> peers,
    List<ModelShape> shapes,
    Optional<String> runtimeClassPath,
    Path work) {
  /// Those of `candidates` that are to be measured.
  List<ModelShape> shapes(ModelShape... candidates) {
    return Stream.of(candidates).filter(shapes::contains).toList();
  }

  String requireRuntime() {
    return runtimeClassPath.orElseThrow(
        () -> new IllegalStateException("this part needs the runtime, which is not in the bundle"));
  }
}
