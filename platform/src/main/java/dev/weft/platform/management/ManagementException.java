package dev.weft.platform.management;

import org.jspecify.annotations.Nullable;

/// A management call that cannot be done, with the HTTP status that says so.
public final class ManagementException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final int status;
  private final String code;
  private final @Nullable String parameter;

  ManagementException(int status, String code, @Nullable String parameter, String message) {
    super(message);
    this.status = status;
    this.code = code;
    this.parameter = parameter;
  }

  static ManagementException invalid(@Nullable String parameter, String message) {
    return new ManagementException(400, "invalid_value", parameter, message);
  }

  static ManagementException notFound(String what, Object which) {
    return new ManagementException(
        404, "not_found", null, "there is no %s %s".formatted(what, which));
  }

  public int status() {
    return status;
  }

  public String code() {
    return code;
  }

  public @Nullable String parameter() {
    return parameter;
  }
}
