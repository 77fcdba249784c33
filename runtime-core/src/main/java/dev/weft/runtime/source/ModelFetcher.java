package dev.weft.runtime.source;

import dev.weft.functions.ModelSource;
import dev.weft.functions.instance.Tier;
import dev.weft.runtime.source.Download.Disk;
import dev.weft.runtime.source.Download.Means;
import dev.weft.runtime.source.Source.Fetched;
import dev.weft.runtime.source.SourceException.Code;
import dev.weft.runtime.source.SourceException.Failure;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.BooleanSupplier;

/// Turns a list of sources into a local path. What this machine has already, of any of the sources,
/// comes first and asks nobody; then the sources are tried in order. May be used from any threads;
/// calls block and are made for virtual threads.
public final class ModelFetcher {
  private final FileSource files = new FileSource();
  private final Receipts receipts;
  private final Map<String, Source> sourceByScheme;

  public ModelFetcher(SourceSettings settings) {
    this(settings, Disk.REAL);
  }

  /// With another idea of free space, for tests.
  ModelFetcher(SourceSettings settings, Disk disk) {
    Web web = new Web(settings.connectTimeout(), settings.stallTimeout());
    Means means = new Means(web, disk, settings.stallTimeout());
    this.receipts = new Receipts(settings.cache().resolve("receipts"));
    this.sourceByScheme =
        Map.of(
            "hf", new HubSource(settings, means),
            "https", new HttpsSource(settings, means),
            "oci", new OciSource(settings, means),
            "pypi", new PypiSource(settings),
            "s3", new S3Source(settings, means));
  }

  /// Gets a model's files.
  ///
  /// @param cancelled asked often, also while a transfer is silent; once true the fetch ends with
  ///   `CANCELLED`, and what came is kept for the next try. An interrupt does the same.
  /// @throws SourceException when no source gives the model: with one source its own reason, with
  ///   several `ALL_FAILED`, which lists each
  public FetchedModel fetch(
      List<ModelSource> sources, FetchListener listener, BooleanSupplier cancelled) {
    for (ModelSource source : sources) {
      Optional<Path> path = cached(source, new Transfer(source, listener, cancelled));
      if (path.isPresent()) {
        return fetched(path.get(), source);
      }
    }
    List<Failure> failures = new ArrayList<>();
    for (ModelSource source : sources) {
      try {
        return fetched(fetch(source, new Transfer(source, listener, cancelled)), source);
      } catch (SourceException e) {
        if (e.code() == Code.CANCELLED) {
          throw e;
        }
        failures.add(new Failure(source, e));
        listener.onSkipped(source, e);
      }
    }
    throw SourceException.allFailed(failures);
  }

  /// Says what [#fetch] would give, with small requests only.
  ///
  /// @throws SourceException as [#fetch] does
  public Inspection inspect(List<ModelSource> sources) {
    for (ModelSource source : sources) {
      Optional<Path> path = cached(source, new Transfer(source, FetchListener.NONE, () -> false));
      if (path.isPresent()) {
        return new Inspection(source, Tier.DISK, OptionalLong.of(FileTree.bytes(path.get())));
      }
    }
    List<Failure> failures = new ArrayList<>();
    for (ModelSource source : sources) {
      try {
        return isFile(source) ? files.inspect(source) : of(source).inspect(source);
      } catch (SourceException e) {
        failures.add(new Failure(source, e));
      }
    }
    throw SourceException.allFailed(failures);
  }

  private Path fetch(ModelSource source, Transfer transfer) {
    transfer.check();
    if (isFile(source)) {
      return files.fetch(source, transfer);
    }
    Source scheme = of(source);
    return Locks.alone(
        scheme.lock(source),
        transfer,
        () -> {
          Optional<Path> arrivedMeanwhile = cached(source, transfer);
          if (arrivedMeanwhile.isPresent()) {
            return arrivedMeanwhile.get();
          }
          Fetched fetched = scheme.fetch(source, transfer);
          receipts.write(source, fetched);
          transfer.finish();
          return fetched.path();
        });
  }

  /// The files of a source that were fetched before. A `file:` is there or not, and is tried in its
  /// turn.
  private Optional<Path> cached(ModelSource source, Transfer transfer) {
    return isFile(source) ? Optional.empty() : receipts.find(source, transfer);
  }

  private Source of(ModelSource source) {
    return Objects.requireNonNull(sourceByScheme.get(source.scheme()), source.scheme());
  }

  private static boolean isFile(ModelSource source) {
    return source.scheme().equals("file");
  }

  private static FetchedModel fetched(Path path, ModelSource source) {
    return new FetchedModel(path, source, FileTree.bytes(path));
  }
}
