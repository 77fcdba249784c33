package dev.weft.functions;

import com.fasterxml.jackson.annotation.JsonCreator;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// One place to get a model's files from: `file:`, `hf://org/name@revision`, `https:` or
/// `pypi://package==version/path/inside`. In a manifest it is the address alone, or an object with
/// `uri` and `sha256`.
///
/// @param sha256 what the (single) file must hash to, lower-case hex
public record ModelSource(String uri, @Nullable String sha256) {
  public static final Set<String> SCHEMES = Set.of("file", "hf", "https", "pypi");

  public ModelSource {
    String scheme =
        uri.contains(":") ? uri.substring(0, uri.indexOf(':')).toLowerCase(Locale.ROOT) : "";
    if (!SCHEMES.contains(scheme)) {
      throw new InvalidManifestException(
          "spec.model.sources",
          "'%s' starts with none of %s".formatted(uri, SCHEMES.stream().sorted().toList()));
    }
    if (sha256 != null && !sha256.matches("[0-9a-f]{64}")) {
      throw new InvalidManifestException(
          "spec.model.sources", "sha256 is not 64 lower-case hex digits: " + sha256);
    }
  }

  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  public static ModelSource of(String uri) {
    return new ModelSource(uri, null);
  }

  /// The part before the colon, in lower case.
  public String scheme() {
    return uri.substring(0, uri.indexOf(':')).toLowerCase(Locale.ROOT);
  }

  /// The address as a [URI], for the schemes that are one.
  public URI toUri() {
    try {
      return new URI(uri);
    } catch (URISyntaxException e) {
      throw new InvalidManifestException("spec.model.sources", "not an address: " + e.getMessage());
    }
  }
}
