package dev.weft.runtime.instance;

import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.ControlApi.Rejection;
import dev.weft.functions.instance.InstanceStatus.Failure;
import dev.weft.runtime.backend.UnsupportedModelException;
import dev.weft.runtime.source.SourceException;
import dev.weft.runtime.weights.ModelFormatException;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// A load ended without an instance, for a reason that the person who deployed the function can
/// read.
final class LoadException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final String code;
  private final boolean permanent;

  private LoadException(String code, String message, boolean permanent) {
    super(message);
    this.code = code;
    this.permanent = permanent;
  }

  /// The device refuses.
  static LoadException refused(Rejection.Code code, String message) {
    boolean permanent =
        switch (code) {
          case NEVER_FITS, UNSUPPORTED -> true;
          case BUSY, PINNED, NO_MEMORY_NOW, DRAINING, UNKNOWN_INSTANCE -> false;
        };
    return new LoadException(code.name().toLowerCase(Locale.ROOT), message, permanent);
  }

  /// An adapter's base does not serve.
  ///
  /// @param failure of the base's load; `null` when it was there and has gone again
  static LoadException withoutBase(RevisionId base, @Nullable Failure failure) {
    return failure == null
        ? new LoadException("base_gone", "its base %s has gone again".formatted(base), false)
        : new LoadException(
            failure.code(),
            "its base %s could not be loaded: %s".formatted(base, failure.message()),
            failure.permanent());
  }

  /// Somebody asked for the instance to go while it was loading.
  static LoadException cancelled() {
    return new LoadException("cancelled", "the load was cancelled", false);
  }

  /// What to tell of a failure; what is not known here is a bug, whose text is not for others.
  static Failure describe(Throwable failure) {
    return switch (failure) {
      case LoadException e -> new Failure(e.code, message(e), e.permanent);
      case SourceException e ->
          new Failure(
              "source_" + e.code().name().toLowerCase(Locale.ROOT), message(e), permanent(e));
      case ModelFormatException e -> new Failure("model_invalid", message(e), true);
      case UnsupportedModelException e -> new Failure("unsupported", message(e), true);
      case OutOfMemoryError _ ->
          new Failure("out_of_memory", "the process ran out of memory while loading", false);
      default ->
          new Failure(
              "internal", "the load failed unexpectedly; the runtime's log says why", false);
    };
  }

  /// Whether the failure is an answer (and not a bug, which is logged with its stack trace).
  static boolean expected(Throwable failure) {
    return failure instanceof LoadException
        || failure instanceof SourceException
        || failure instanceof ModelFormatException
        || failure instanceof UnsupportedModelException;
  }

  private static boolean permanent(SourceException e) {
    return switch (e.code()) {
      case NOT_FOUND, UNAUTHORISED, REFUSED, CHECKSUM, UNUSABLE -> true;
      case UNREACHABLE, TRUNCATED, DISK_FULL, CANCELLED -> false;
      case ALL_FAILED -> e.failures().stream().allMatch(failure -> permanent(failure.reason()));
    };
  }

  private static String message(RuntimeException e) {
    return String.valueOf(e.getMessage());
  }
}
