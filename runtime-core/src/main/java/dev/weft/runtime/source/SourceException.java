package dev.weft.runtime.source;

import dev.weft.functions.ModelSource;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// A model's files could not be had. The message is for the person who deployed the model and says
/// what to do where that is known; it holds no token and no address with one.
public final class SourceException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final Code code;
  private final transient List<Failure> failures;

  /// Why.
  public enum Code {
    /// No answer: refused, unknown host, time-out, a server's error, or offline by configuration.
    UNREACHABLE,
    /// The place answers, and has no such thing.
    NOT_FOUND,
    /// A credential is missing or does not suffice.
    UNAUTHORISED,
    /// Not allowed by this machine's settings: a private address, a file over the size limit.
    REFUSED,
    /// The bytes are not the ones that were promised.
    CHECKSUM,
    /// The transfer ended early; what came is kept, and the next try goes on from there.
    TRUNCATED,
    /// No room for the files.
    DISK_FULL,
    /// The caller cancelled.
    CANCELLED,
    /// The address, the package or the repository is not usable as it is.
    UNUSABLE,
    /// Every source failed; see [SourceException#failures].
    ALL_FAILED
  }

  /// One source of a list, and why it gave nothing.
  public record Failure(ModelSource source, SourceException reason) {}

  public SourceException(Code code, String message) {
    this(code, message, null);
  }

  public SourceException(Code code, String message, @Nullable Throwable cause) {
    super(message, cause);
    this.code = code;
    this.failures = List.of();
  }

  private SourceException(List<Failure> failures) {
    super(
        failures.stream()
            .map(failure -> failure.source().shown() + ": " + failure.reason().getMessage())
            .collect(Collectors.joining("; ", "no source gives the model: ", "")));
    this.code = Code.ALL_FAILED;
    this.failures = List.copyOf(failures);
  }

  /// All of them failed. A list of one is that one's own failure, with its address.
  static SourceException allFailed(List<Failure> failures) {
    if (failures.size() > 1) {
      return new SourceException(failures);
    }
    SourceException only = failures.getFirst().reason();
    return new SourceException(
        only.code(), failures.getFirst().source().shown() + ": " + only.getMessage(), only);
  }

  public Code code() {
    return code;
  }

  /// Each source with its reason, in the order tried; empty unless the code is `ALL_FAILED`.
  public List<Failure> failures() {
    return failures;
  }
}
