package dev.weft.functions;

import java.util.Map;

/// A model that a user declared as a function: the manifest, as it is written in YAML or JSON.
public record Function(String apiVersion, String kind, Metadata metadata, FunctionSpec spec) {
  public static final String API_VERSION = "weft.dev/v1alpha1";
  public static final String KIND = "Function";

  public Function {
    if (!apiVersion.equals(API_VERSION)) {
      throw new InvalidManifestException(
          "apiVersion",
          "'%s' is not known; this version reads %s".formatted(apiVersion, API_VERSION));
    }
    if (!kind.equals(KIND)) {
      throw new InvalidManifestException("kind", "'%s' is not %s".formatted(kind, KIND));
    }
  }

  public static Function of(FunctionName name, FunctionSpec spec) {
    return new Function(API_VERSION, KIND, new Metadata(name, Map.of()), spec);
  }

  public FunctionName name() {
    return metadata.name();
  }

  /// The function's name and its labels.
  public record Metadata(FunctionName name, Map<String, String> labels) {
    public Metadata {
      labels = labels == null ? Map.of() : Map.copyOf(labels);
    }
  }
}
