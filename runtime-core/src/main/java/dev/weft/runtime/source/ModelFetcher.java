package dev.weft.runtime.source;

import dev.weft.functions.ModelSource;
import dev.weft.functions.instance.Tier;
import dev.weft.runtime.source.SourceException.Code;
import dev.weft.runtime.source.SourceException.Failure;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.BooleanSupplier;

/// Turns a list of sources into a local path. What this machine has already, of any of the sources,
/// comes first and asks nobody; then the sources are tried in order. May be used from any threads;
/// calls block and are made for virtual threads.
public final class ModelFetcher {
  private final Map<String, Source> sourceByScheme;

  public ModelFetcher(SourceSettings settings) {
    this.sourceByScheme = Map.of("file", new FileSource());
  }

  /// Gets a model's files.
  ///
  /// @param cancelled asked often, also while a transfer is silent; once true the fetch ends with
  ///   `CANCELLED`, and what came is kept for the next try. An interrupt does the same.
  /// @throws SourceException when no source gives the model: with one source its own reason, with
  ///   several `ALL_FAILED`, which lists each
  public FetchedModel fetch(
      List<ModelSource> sources, FetchListener listener, BooleanSupplier cancelled) {
    List<Failure> failures = new ArrayList<>();
    for (ModelSource source : sources) {
      Optional<Path> path = cached(source);
      if (path.isPresent()) {
        return new FetchedModel(path.get(), source, FileTree.bytes(path.get()));
      }
    }
    for (ModelSource source : sources) {
      Transfer transfer = new Transfer(source, listener, cancelled);
      try {
        transfer.check();
        Path path = of(source).fetch(source, transfer);
        return new FetchedModel(path, source, FileTree.bytes(path));
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
    List<Failure> failures = new ArrayList<>();
    for (ModelSource source : sources) {
      Optional<Path> path = cached(source);
      if (path.isPresent()) {
        return new Inspection(source, Tier.DISK, OptionalLong.of(FileTree.bytes(path.get())));
      }
    }
    for (ModelSource source : sources) {
      try {
        Tier tier = source.scheme().equals("file") ? Tier.DISK : Tier.REMOTE;
        return new Inspection(source, tier, of(source).size(source));
      } catch (SourceException e) {
        failures.add(new Failure(source, e));
      }
    }
    throw SourceException.allFailed(failures);
  }

  private Optional<Path> cached(ModelSource source) {
    try {
      return of(source).cached(source);
    } catch (SourceException e) {
      // An address that cannot be used is reported, with the others, when its turn to be tried
      // comes.
      return Optional.empty();
    }
  }

  private Source of(ModelSource source) {
    Source scheme = sourceByScheme.get(source.scheme());
    if (scheme == null) {
      throw new SourceException(Code.UNUSABLE, source.scheme() + ": is not known here");
    }
    return scheme;
  }
}
