package dev.weft.runtime.instance;

import dev.weft.functions.ModelSource;
import dev.weft.runtime.source.FetchListener;
import dev.weft.runtime.source.FetchedModel;
import dev.weft.runtime.source.Inspection;
import dev.weft.runtime.source.ModelFetcher;
import java.util.List;
import java.util.function.BooleanSupplier;

/// Where the instance manager gets files from: what it needs of [ModelFetcher].
public interface ModelSupply {
  FetchedModel fetch(List<ModelSource> sources, FetchListener listener, BooleanSupplier cancelled);

  Inspection inspect(List<ModelSource> sources);

  static ModelSupply of(ModelFetcher fetcher) {
    return new ModelSupply() {
      @Override
      public FetchedModel fetch(
          List<ModelSource> sources, FetchListener listener, BooleanSupplier cancelled) {
        return fetcher.fetch(sources, listener, cancelled);
      }

      @Override
      public Inspection inspect(List<ModelSource> sources) {
        return fetcher.inspect(sources);
      }
    };
  }
}
