package dev.weft.platform.cli;

import dev.weft.functions.DeviceClass;
import dev.weft.functions.DurationText;
import dev.weft.functions.Function;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.KvCache;
import dev.weft.functions.Limits;
import dev.weft.functions.Model;
import dev.weft.functions.Quantization;
import dev.weft.functions.Scaling;
import dev.weft.functions.ServiceLevel;
import java.time.Duration;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/// What of a function's `spec` can be said on the command line, beside or instead of what a
/// manifest says: each option is the member of the same name.
final class SpecOptions {
  @Option(names = "--quantization", paramLabel = "Q", description = "${COMPLETION-CANDIDATES}.")
  private @Nullable Quantization quantization;

  @Option(names = "--kv-cache", paramLabel = "TYPE", description = "${COMPLETION-CANDIDATES}.")
  private @Nullable KvCache kvCache;

  @Option(
      names = "--context-length",
      paramLabel = "TOKENS",
      description = "The longest prompt plus answer.")
  private @Nullable Integer contextLength;

  @Option(
      names = "--ttft",
      paramLabel = "TIME",
      converter = Time.class,
      description = "Promised time to the first token, as 500ms or 2s.")
  private @Nullable Duration ttft;

  @Option(
      names = "--tpot",
      paramLabel = "TIME",
      converter = Time.class,
      description = "Promised time per token after it.")
  private @Nullable Duration tpot;

  @Option(
      names = "--priority",
      paramLabel = "N",
      description = "How much it counts where several functions are late; at least 1.")
  private @Nullable Integer priority;

  @Option(names = "--min", paramLabel = "N", description = "Instances that stay loaded.")
  private @Nullable Integer min;

  @Option(names = "--max", paramLabel = "N", description = "The most instances.")
  private @Nullable Integer max;

  @Option(
      names = "--keep-alive",
      paramLabel = "TIME",
      converter = Time.class,
      description = "Idle time before an instance is unloaded.")
  private @Nullable Duration keepAlive;

  @Option(
      names = "--wait-budget",
      paramLabel = "TIME",
      converter = Time.class,
      description = "How long a request waits while an instance loads.")
  private @Nullable Duration waitBudget;

  @Option(
      names = "--devices",
      paramLabel = "CLASS",
      split = ",",
      description = "Where it may run: ${COMPLETION-CANDIDATES}.")
  private @Nullable Set<DeviceClass> devices;

  @Option(
      names = "--max-output-tokens",
      paramLabel = "TOKENS",
      description = "The largest max_tokens that callers may ask for.")
  private @Nullable Integer maxOutputTokens;

  @Option(
      names = "--max-queued-requests",
      paramLabel = "N",
      description = "Requests that wait for a place in the batch.")
  private @Nullable Integer maxQueuedRequests;

  @Option(
      names = "--max-held-requests",
      paramLabel = "N",
      description = "Requests that wait while it loads.")
  private @Nullable Integer maxHeldRequests;

  /// A duration as manifests write it.
  static final class Time implements ITypeConverter<Duration> {
    @Override
    public Duration convert(String text) {
      try {
        return DurationText.parse(text);
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(e.getMessage());
      }
    }
  }

  /// The function with what was said on the command line.
  Function apply(Function declared) {
    FunctionSpec spec = declared.spec();
    Model model = spec.model();
    return new Function(
        declared.apiVersion(),
        declared.kind(),
        declared.metadata(),
        new FunctionSpec(
            new Model(
                model.kind(),
                model.sources(),
                contextLength == null ? model.contextLength() : contextLength),
            spec.adapterOf(),
            or(quantization, spec.quantization()),
            or(kvCache, spec.kvCache()),
            serviceLevel(spec.serviceLevel()),
            scaling(spec.scaling()),
            or(devices, spec.devices()),
            limits(spec.limits())));
  }

  private ServiceLevel serviceLevel(ServiceLevel declared) {
    return new ServiceLevel(
        or(ttft, declared.ttft()), or(tpot, declared.tpot()), or(priority, declared.priority()));
  }

  private Scaling scaling(Scaling declared) {
    int least = or(min, declared.min());
    // The default one grows with the minimum.
    boolean byDefault = declared.max().equals(Scaling.DEFAULT.max());
    int most = byDefault ? Math.max(least, declared.max()) : declared.max();
    return new Scaling(
        least,
        or(max, most),
        or(keepAlive, declared.keepAlive()),
        or(waitBudget, declared.waitBudget()));
  }

  private Limits limits(Limits declared) {
    return new Limits(
        or(maxHeldRequests, declared.maxHeldRequests()),
        or(maxQueuedRequests, declared.maxQueuedRequests()),
        maxOutputTokens == null ? declared.maxOutputTokens() : maxOutputTokens);
  }

  private static <T> T or(@Nullable T said, T declared) {
    return said == null ? declared : said;
  }
}
