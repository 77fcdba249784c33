package dev.weft.functions;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Optional;
import java.util.regex.Pattern;

/// The name of a function: a DNS-1123 label, so that it can be a Kubernetes object, a path segment
/// and an OpenAI `model` alike. An installation that serves all namespaces of a cluster calls the
/// functions of others than its own `name.namespace`, as Services are called there. A manifest
/// never does: whose namespace it is in says who applies it.
public record FunctionName(@JsonValue String value) implements Comparable<FunctionName> {
  /// What a name looks like in a manifest, as a regular expression over all of it.
  public static final String PATTERN = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?";

  /// Where a name usually stands.
  static final String FIELD = "metadata.name";

  private static final Pattern NAME = Pattern.compile("%1$s([.]%1$s)?".formatted(PATTERN));

  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  public FunctionName {
    if (value == null || !NAME.matcher(value).matches()) {
      throw refused(FIELD, value);
    }
  }

  /// The name of a function of another namespace.
  ///
  /// @param local its name there
  public static FunctionName in(String namespace, String local) {
    return new FunctionName(local + "." + namespace);
  }

  /// Its name in its namespace, which is a DNS-1123 label.
  public String local() {
    int dot = value.indexOf('.');
    return dot < 0 ? value : value.substring(0, dot);
  }

  /// Whose function it is; empty for the installation's own namespace, and where there are none.
  public Optional<String> namespace() {
    int dot = value.indexOf('.');
    return dot < 0 ? Optional.empty() : Optional.of(value.substring(dot + 1));
  }

  /// The function of that name in the same namespace.
  public FunctionName beside(FunctionName local) {
    return namespace().map(namespace -> in(namespace, local.value())).orElse(local);
  }

  /// This name, which stands in a manifest; throws [InvalidManifestException] where it has a
  /// namespace.
  FunctionName requireLocal(String field) {
    if (namespace().isPresent()) {
      throw refused(field, value);
    }
    return this;
  }

  private static InvalidManifestException refused(String field, String value) {
    return new InvalidManifestException(
        field,
        "'%s' is not a function name: use 1 to 63 of a-z, 0-9 and '-', starting and ending with a letter or digit"
            .formatted(value));
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
