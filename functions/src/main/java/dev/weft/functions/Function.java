package dev.weft.functions;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;

/// A model that a user declared as a function: the manifest, as it is written in YAML or JSON.
///
/// @param apiVersion the version of this format, `weft.dev/v1alpha1`
/// @param kind what the document declares, `Function`
/// @param metadata the function's name and its labels
/// @param spec what the function is and how it is to be run
public record Function(String apiVersion, String kind, Metadata metadata, FunctionSpec spec) {
  public static final String API_VERSION = "weft.dev/v1alpha1";
  public static final String KIND = "Function";

  public Function {
    requirePresent("apiVersion", apiVersion, API_VERSION);
    requirePresent("kind", kind, KIND);
    requirePresent("metadata", metadata, "name: my-function");
    requirePresent("spec", spec, "model: ...");
    if (!apiVersion.equals(API_VERSION)) {
      throw new InvalidManifestException(
          "apiVersion",
          "'%s' is not known; this version reads %s".formatted(apiVersion, API_VERSION));
    }
    if (!kind.equals(KIND)) {
      throw new InvalidManifestException("kind", "'%s' is not %s".formatted(kind, KIND));
    }
    FunctionName base = spec.adapterOf();
    if (base != null) {
      base.requireLocal("spec.adapterOf");
    }
  }

  public static Function of(FunctionName name, FunctionSpec spec) {
    return new Function(API_VERSION, KIND, new Metadata(name, Map.of()), spec);
  }

  public FunctionName name() {
    return metadata.name();
  }

  private static void requirePresent(String field, Object value, String example) {
    if (value == null) {
      throw new InvalidManifestException(field, "missing: add '%s: %s'".formatted(field, example));
    }
  }

  /// The function's name and its labels.
  ///
  /// @param name 1 to 63 of `a-z`, `0-9` and `-`, starting and ending with a letter or digit; what
  ///   callers give as `model`
  /// @param labels words of your own to find functions by, in the syntax of Kubernetes' labels
  public record Metadata(
      FunctionName name, @JsonInclude(JsonInclude.Include.NON_EMPTY) Map<String, String> labels) {
    static final int MAX_LABELS = 64;
    private static final String WORD = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?";
    static final Pattern LABEL_NAME =
        Pattern.compile("([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?" + WORD);
    static final Pattern LABEL_VALUE = Pattern.compile("(" + WORD + ")?");

    public Metadata {
      if (name == null) {
        throw new InvalidManifestException("metadata.name", "missing: give the function a name");
      }
      name.requireLocal("metadata.name");
      labels = labels == null ? Map.of() : Collections.unmodifiableMap(new TreeMap<>(labels));
      if (labels.size() > MAX_LABELS) {
        throw new InvalidManifestException(
            "metadata.labels", "%d labels; at most %d".formatted(labels.size(), MAX_LABELS));
      }
      labels.forEach(Metadata::checkLabel);
    }

    private static void checkLabel(String key, String value) {
      if (!LABEL_NAME.matcher(key).matches()) {
        throw new InvalidManifestException(
            "metadata.labels", "'%s' is not a label's name".formatted(key));
      }
      if (value == null || !LABEL_VALUE.matcher(value).matches()) {
        throw new InvalidManifestException(
            "metadata.labels." + key,
            "'%s' is not a label's value: up to 63 letters, digits, '-', '_' and '.', starting and ending with a letter or digit"
                .formatted(value));
      }
    }
  }
}
