package dev.weft.runtime.instance;

import dev.weft.autoscaler.admission.InstanceFit;
import dev.weft.functions.ByteSize;
import dev.weft.functions.Function;
import dev.weft.functions.FunctionName;
import dev.weft.functions.Model;
import dev.weft.functions.instance.ControlApi;
import dev.weft.functions.instance.ControlApi.Rejection;
import dev.weft.functions.instance.InstanceStatus.Failure;
import dev.weft.functions.instance.Tier;
import dev.weft.runtime.backend.UnsupportedModelException;
import dev.weft.runtime.model.AdapterFiles;
import dev.weft.runtime.model.AdapterPackage;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.source.FetchListener;
import dev.weft.runtime.source.FetchedModel;
import dev.weft.runtime.source.Inspection;
import dev.weft.runtime.source.SourceException;
import dev.weft.runtime.weights.ModelFormatException;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Says what a function would need of this device, before anything is loaded: exactly when its
/// files are on this machine, from their size when they are not.
final class Inspector {
  private final ModelSupply supply;
  private final ModelLoader loader;
  private final DeviceMemory memory;
  private final Instances instances;

  Inspector(ModelSupply supply, ModelLoader loader, DeviceMemory memory, Instances instances) {
    this.instances = instances;
    this.supply = supply;
    this.loader = loader;
    this.memory = memory;
  }

  /// What cannot be told now (a source that does not answer) is no reason to refuse; what trying
  /// again cannot mend is.
  ControlApi.Inspection inspect(Function function) {
    try {
      loader.requireQuantization(function.spec().quantization());
      Inspection source = supply.inspect(function.spec().model().sources());
      if (!source.tier().atLeast(Tier.DISK)) {
        return estimate(function, source.bytes().orElse(0));
      }
      FetchedModel files = supply.fetch(List.of(source.source()), FetchListener.NONE, () -> false);
      FunctionName base = function.spec().adapterOf();
      return base == null
          ? exact(loader.measure(function.spec(), files.path()))
          : adapter(function, base, files);
    } catch (LoadException | SourceException | ModelFormatException | UnsupportedModelException e) {
      Failure failure = LoadException.describe(e);
      return inexact(
          function,
          0,
          failure.permanent()
              ? new Rejection(Rejection.Code.UNSUPPORTED, failure.message())
              : null);
    }
  }

  private ControlApi.Inspection exact(ModelLoader.Measured measured) {
    return new ControlApi.Inspection(
        measured.kind(),
        measured.family(),
        true,
        measured.fit().weightBytes(),
        measured.fit().contextBytes(),
        memory.capacityBytes(),
        measured.contextLength(),
        rejection(memory.decide(measured.fit())));
  }

  /// Held against the base where it is loaded; else only its size is known.
  private ControlApi.Inspection adapter(Function function, FunctionName base, FetchedModel files) {
    Optional<DecoderSpec> spec = instances.serving(base).flatMap(ResidentModel::decoderSpec);
    if (spec.isEmpty()) {
      return estimate(function, files.bytes());
    }
    try (AdapterPackage adapter = AdapterFiles.open(files.path(), spec.get())) {
      return estimate(function, adapter.weights().byteSize());
    }
  }

  /// Weights alone that exceed the device never fit.
  private ControlApi.Inspection estimate(Function function, long bytes) {
    if (bytes <= memory.capacityBytes()) {
      return inexact(function, bytes, null);
    }
    String arithmetic =
        "the model's files have %s, the device has %s"
            .formatted(ByteSize.format(bytes), ByteSize.format(memory.capacityBytes()));
    return inexact(function, bytes, new Rejection(Rejection.Code.NEVER_FITS, arithmetic));
  }

  private ControlApi.Inspection inexact(
      Function function, long bytes, @Nullable Rejection rejection) {
    Integer context = function.spec().model().contextLength();
    return new ControlApi.Inspection(
        function.spec().adapterOf() == null
            ? function.spec().model().kind()
            : Model.Kind.GENERATION,
        null,
        false,
        bytes,
        0,
        memory.capacityBytes(),
        context == null ? 0 : context,
        rejection);
  }

  /// An instance that fits once others have gone is no problem of the function's.
  private static @Nullable Rejection rejection(InstanceFit.Outcome outcome) {
    return switch (outcome) {
      case InstanceFit.FitsNow _, InstanceFit.FitsAfter _, InstanceFit.NotNow _ -> null;
      case InstanceFit.Never(long _, String reason) ->
          new Rejection(Rejection.Code.NEVER_FITS, reason);
    };
  }
}
