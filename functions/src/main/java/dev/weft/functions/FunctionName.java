package dev.weft.functions;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import java.util.regex.Pattern;

/// The name of a function: a DNS-1123 label, so that it can be a Kubernetes object, a path segment
/// and an OpenAI `model` alike.
public record FunctionName(@JsonValue String value) implements Comparable<FunctionName> {
  /// What a name looks like, as a regular expression over all of it.
  public static final String PATTERN = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?";

  /// Where a name usually stands.
  static final String FIELD = "metadata.name";

  private static final Pattern DNS_1123 = Pattern.compile(PATTERN);

  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  public FunctionName {
    if (value == null || !DNS_1123.matcher(value).matches()) {
      throw new InvalidManifestException(
          FIELD,
          "'%s' is not a function name: use 1 to 63 of a-z, 0-9 and '-', starting and ending with a letter or digit"
              .formatted(value));
    }
  }

  @Override
  public int compareTo(FunctionName other) {
    return value.compareTo(other.value);
  }

  @Override
  public String toString() {
    return value;
  }
}
