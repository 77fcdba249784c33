package dev.weft.runtime.source;

import dev.weft.functions.ModelSource;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.BooleanSupplier;

/// A home in a temporary directory, and a listener that remembers.
final class SourceFixture implements FetchListener {
  final Path home;
  final Map<String, String> environment = new HashMap<>();
  final List<String> skipped = new ArrayList<>();
  final List<String> notes = new ArrayList<>();
  volatile Progress last = new Progress(0, java.util.OptionalLong.empty());
  long maxFileBytes = 1L << 40;
  Duration stallTimeout = Duration.ofSeconds(20);
  Download.Disk disk = Download.Disk.REAL;
  String python = "python3";

  SourceFixture(Path home) {
    this.home = home;
    environment.putAll(System.getenv());
    environment
        .keySet()
        .removeIf(name -> name.startsWith("HF_") || name.startsWith("TRANSFORMERS"));
    environment.put("HF_HOME", home.resolve("hf").toString());
    // No host of this name exists (RFC 6761), so a test that forgets its stand-in reaches nobody.
    environment.put("HF_ENDPOINT", "https://hub.invalid");
  }

  SourceFixture withHub(HubStandIn hub) {
    environment.put("HF_ENDPOINT", hub.endpoint());
    return this;
  }

  SourceSettings settings() {
    return new SourceSettings(
        home.resolve("cache"),
        environment,
        Duration.ofSeconds(3),
        stallTimeout,
        maxFileBytes,
        false,
        python);
  }

  FetchedModel fetch(String... uris) {
    return fetch(() -> false, sources(uris));
  }

  FetchedModel fetch(BooleanSupplier cancelled, List<ModelSource> sources) {
    return new ModelFetcher(settings(), disk).fetch(sources, this, cancelled);
  }

  Inspection inspect(String... uris) {
    return new ModelFetcher(settings(), disk).inspect(sources(uris));
  }

  static List<ModelSource> sources(String... uris) {
    return List.of(uris).stream().map(ModelSource::of).toList();
  }

  static byte[] bytes(int count, long seed) {
    byte[] bytes = new byte[count];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  @Override
  public void onSkipped(ModelSource source, SourceException reason) {
    skipped.add(source.uri() + ": " + reason.getMessage());
  }

  @Override
  public void onNote(ModelSource source, String note) {
    notes.add(note);
  }

  @Override
  public void onProgress(ModelSource source, Progress progress) {
    last = progress;
  }
}
