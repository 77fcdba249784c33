package dev.weft.runtime.transfer;

import java.io.IOException;

/// Keys and values did not come, or not all of them: what is missing is computed.
public final class KvTransferException extends IOException {
  private static final long serialVersionUID = 1;

  private final Reason reason;

  /// What went wrong.
  public enum Reason {
    /// What came is not of this format, or of another version of it.
    FORMAT,
    /// Another model computed it, or another kind of device whose bits may differ.
    MODEL,
    /// Keys and values have another type or shape.
    SHAPE,
    /// They are those of another text.
    TOKENS,
    /// A checksum is wrong.
    CORRUPT,
    /// They ended before their end.
    TRUNCATED,
    /// The sender does not have them, or no longer.
    GONE,
    /// The sender could not be reached, or fell silent.
    LINK,
    /// There is no memory for them here.
    MEMORY
  }

  public KvTransferException(Reason reason, String message) {
    super(message);
    this.reason = reason;
  }

  public Reason reason() {
    return reason;
  }
}
