package dev.weft.bench.gpu;

import dev.weft.bench.Spread;
import dev.weft.bench.report.Finding;
import dev.weft.bench.report.PartRecorder;
import dev.weft.bench.system.PageCache;
import dev.weft.functions.Revision;
import dev.weft.runtime.gpu.GpuBackend;
import dev.weft.runtime.gpu.HostMemoryLimit;
import dev.weft.runtime.tensor.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/// First tokens of functions that are not on the device, by where their weights are; and of more
/// functions than the device has room for, called by turns.
final class ColdStartPart implements GpuPart {
  private static final String FIRST = "first token, s";
  private static final String LOADED = "of it, until the function serves, s";
  private static final String COPY = "copy of the weights from pinned memory alone, s";
  private static final String WEFT = "weft";
  private static final String DRIVER = "driver";

  private static final String PINNING = "from the page cache, and memory of the host is pinned";
  private static final String CACHE = "from the page cache";
  private static final String DISK = "from the disk, page cache dropped";
  private static final String HOST = "from pinned memory of the host";

  /// Further directories than there is room for in the host's memory: called in a circle, each has
  /// gone when it is called.
  private static final int DIRECTORIES = ColdSizes.SETS + 1;

  private static final int HOST_CALLS = 6;

  private final ColdSizes sizes;
  private final Dropping dropping;

  /// Takes files out of the page cache.
  @FunctionalInterface
  interface Dropping {
    void drop(List<Path> paths) throws IOException, InterruptedException;
  }

  ColdStartPart() {
    this(ColdSizes.LARGE, PageCache::drop);
  }

  ColdStartPart(ColdSizes sizes, Dropping dropping) {
    this.sizes = sizes;
    this.dropping = dropping;
  }

  @Override
  public String name() {
    return "cold-start";
  }

  @Override
  public String title() {
    return "Cold start";
  }

  @Override
  public void run(GpuSetting setting, PartRecorder recorder)
      throws IOException, InterruptedException {
    Path model = setting.models().get().safetensors(sizes.shape(), DType.BF16);
    List<Path> directories = directories(setting.work(), model);
    remarks(recorder, Files.size(model.resolve("model.safetensors")));
    List<Double> copies = CopyCeiling.toDevice(setting.gpu().driver());
    var limit = new HostMemoryLimit(sizes.hostBytes(), sizes.slabBytes());
    try (GpuBackend backend = setting.gpu().open(limit)) {
      long capacity = sizes.capacity().orElseGet(backend::capacityBytes);
      try (var runtime = new ColdRuntime(backend, capacity, setting.work(), sizes)) {
        List<Revision> sets = new ArrayList<>();
        for (int i = 0; i < DIRECTORIES; i++) {
          sets.add(runtime.function("set-" + i, directories.get(i)));
        }
        tiers(setting, runtime, sets, directories, recorder);
      }
      double weightBytes = weightBytes();
      copies.forEach(rate -> recorder.add(label(), COPY, 3, DRIVER, weightBytes / rate));
      try (var runtime = new ColdRuntime(backend, sizes.capped(), setting.work(), sizes)) {
        turns(setting, runtime, directories, recorder);
      }
    }
    judge(recorder);
  }

  private double weightBytes() {
    return 2.0 * sizes.shape().tensors().stream().mapToLong(tensor -> tensor.elements()).sum();
  }

  private void remarks(PartRecorder recorder, long fileBytes) {
    recorder.remark(
        "%s, random bf16 weights in a file of %.1f GB (safetensors), prompts of %d tokens. From the call to the first token, through the runtime's instance manager and engine, without HTTP; kernels were compiled before."
            .formatted(sizes.shape().name(), fileBytes / 1e9, sizes.prompt()));
    recorder.remark(
        "Sets of weights are directories with hard links to one file: for the runtime other files"
            + " each, with images of their own in the host's memory, which has room for %d sets; in"
                .formatted(ColdSizes.SETS)
            + " the page cache they are one.");
    recorder.remark("Dropping the page cache drops %s.".formatted(PageCache.method()));
  }

  private static List<Path> directories(Path work, Path model) throws IOException {
    List<Path> directories = new ArrayList<>();
    for (int i = 0; i < DIRECTORIES; i++) {
      // Beside the model: links do not cross file systems.
      Path directory = model.resolveSibling("%s.set-%d".formatted(model.getFileName(), i));
      Files.createDirectories(directory);
      try (Stream<Path> files = Files.list(model)) {
        for (Path file : files.toList()) {
          Path link = directory.resolve(file.getFileName());
          Files.deleteIfExists(link);
          Files.createLink(link, file);
        }
      }
      directories.add(directory);
    }
    Files.createDirectories(work);
    return directories;
  }

  /// Sets 0 and 3 are the two that are never there at the same time.
  private void tiers(
      GpuSetting setting,
      ColdRuntime runtime,
      List<Revision> sets,
      List<Path> directories,
      PartRecorder recorder)
      throws IOException, InterruptedException {
    // What is done once for all models: kernels.
    for (int i = 0; i < ColdSizes.SETS; i++) {
      start(runtime, sets.get(i), PINNING, recorder);
    }
    start(runtime, sets.get(3), CACHE, recorder);
    start(runtime, sets.get(0), CACHE, recorder);
    start(runtime, sets.get(1), CACHE, recorder);
    dropping.drop(directories);
    start(runtime, sets.get(2), DISK, recorder);
    // Sets 0, 1 and 2 are there.
    for (int i = 0; i < HOST_CALLS * setting.rounds(); i++) {
      start(runtime, sets.get(i % ColdSizes.SETS), HOST, recorder);
    }
  }

  private static void start(
      ColdRuntime runtime, Revision function, String from, PartRecorder recorder)
      throws InterruptedException {
    ColdRuntime.Start start = runtime.call(function);
    runtime.unload(function);
    recorder.add(from, FIRST, 3, WEFT, start.seconds());
    recorder.add(from, LOADED, 3, WEFT, start.loaded() / 1e9);
  }

  private void turns(
      GpuSetting setting, ColdRuntime runtime, List<Path> directories, PartRecorder recorder)
      throws InterruptedException {
    List<Revision> functions = new ArrayList<>();
    for (int i = 0; i < sizes.functions(); i++) {
      functions.add(runtime.function("f-" + i, directories.get(i % ColdSizes.SETS)));
    }
    List<Double> seconds = new ArrayList<>();
    for (int turn = 0; turn < sizes.turns() * setting.rounds(); turn++) {
      for (Revision function : functions) {
        ColdRuntime.Start start = runtime.call(function);
        seconds.add(start.seconds());
        recorder.add(byTurns(), FIRST, 3, WEFT, start.seconds());
      }
    }
    recorder.find(
        Finding.reported(
            "5/turns",
            "5. %s: first token, p50 and p95 of %d calls (vLLM's engine starts in %s)"
                .formatted(byTurns(), seconds.size(), VllmFigures.START),
            String.format(
                Locale.ROOT,
                "%.3f s, %.3f s",
                Spread.percentileOf(seconds, 0.5),
                Spread.percentileOf(seconds, 0.95))));
  }

  private String byTurns() {
    return "%d functions over %d sets, %.0f GiB, by turns"
        .formatted(sizes.functions(), ColdSizes.SETS, sizes.capped() / (double) (1L << 30));
  }

  private String label() {
    return sizes.shape().name();
  }

  private void judge(PartRecorder recorder) {
    double copy = recorder.median(label(), COPY, DRIVER).orElseThrow();
    double host = recorder.median(HOST, FIRST, WEFT).orElseThrow();
    recorder.find(
        Finding.atMost(
            "5/host",
            "5. first token from pinned memory against the copy alone (%s s)"
                .formatted(Finding.text(copy)),
            host / copy,
            1.3,
            " x"));
    for (String from : List.of(HOST, CACHE, PINNING, DISK)) {
      recorder.find(
          Finding.reported(
              "5/" + from,
              "5. first token " + from,
              Finding.text(recorder.median(from, FIRST, WEFT).orElseThrow()) + " s"));
    }
  }
}
