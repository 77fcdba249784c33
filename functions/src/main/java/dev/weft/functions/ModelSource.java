package dev.weft.functions;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// One place to get a model's files from: `file:`, `hf://org/name@revision`, `https:`,
/// `oci://registry/repository:tag`, `pypi://package==version/path/inside` or
/// `s3://bucket/file-or-folder`. In a manifest it is the address alone, or an object with `uri` and
/// `sha256`.
///
/// @param uri the address
/// @param sha256 what the (single) file must hash to, lower-case hex
public record ModelSource(String uri, @Nullable String sha256) {
  public static final Set<String> SCHEMES = Set.of("file", "hf", "https", "oci", "pypi", "s3");

  static final Pattern SHA256 = Pattern.compile("[0-9a-f]{64}");
  static final Pattern FILE = Pattern.compile("file:[^\\x00-\\x1f\\x7f]+");
  // No spaces and no control characters, but for spaces in the path of a file.
  private static final String NAME = "[^/@=\\x00-\\x20\\x7f]+";
  private static final String REST = "[^\\x00-\\x20\\x7f]+";
  static final Pattern HUB = Pattern.compile("hf://" + NAME + "/" + NAME + "([@/]" + REST + ")?");
  static final Pattern WEB = Pattern.compile("https://[^/\\x00-\\x20\\x7f]+/" + REST);
  static final Pattern PACKAGE = Pattern.compile("pypi://" + NAME + "==" + NAME + "/" + REST);
  // As the distribution specification has a repository and a tag; a digest may stand for the tag.
  static final Pattern REGISTRY =
      Pattern.compile(
          "oci://[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+"
              + "(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}|(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?"
              + "@sha256:[0-9a-f]{64})");
  static final Pattern STORE =
      Pattern.compile("s3://[A-Za-z0-9][A-Za-z0-9._-]{1,62}(/" + REST + ")?");
  private static final Pattern PARENT_SEGMENT = Pattern.compile("(^|/)\\.\\.(/|$)");

  @JsonCreator(mode = JsonCreator.Mode.PROPERTIES)
  public ModelSource(
      @JsonProperty("uri") String uri, @JsonProperty("sha256") @Nullable String sha256) {
    if (uri == null || uri.isBlank()) {
      throw invalid("a source without an address");
    }
    String scheme = schemeOf(uri);
    boolean wellFormed =
        switch (scheme) {
          case "file" -> FILE.matcher(uri).matches();
          case "hf" -> HUB.matcher(uri).matches() && !PARENT_SEGMENT.matcher(uri).find();
          case "https" -> WEB.matcher(uri).matches();
          case "oci" -> REGISTRY.matcher(uri).matches();
          case "pypi" -> PACKAGE.matcher(uri).matches() && !PARENT_SEGMENT.matcher(uri).find();
          case "s3" -> STORE.matcher(uri).matches() && !PARENT_SEGMENT.matcher(uri).find();
          default ->
              throw invalid(
                  "'%s' starts with none of %s"
                      .formatted(shown(uri), SCHEMES.stream().sorted().map(s -> s + ":").toList()));
        };
    if (!wellFormed) {
      throw invalid("'%s' is not of the form %s".formatted(shown(uri), formOf(scheme)));
    }
    if (sha256 != null && !SHA256.matcher(sha256).matches()) {
      throw invalid("sha256 is not 64 lower-case hex digits: '%s'".formatted(sha256));
    }
    this.uri = uri;
    this.sha256 = sha256;
  }

  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  public static ModelSource of(String uri) {
    return new ModelSource(uri, null);
  }

  /// The part before the colon, in lower case.
  public String scheme() {
    return schemeOf(uri);
  }

  /// The address for messages and logs: a password that somebody wrote into it is left out.
  public String shown() {
    return shown(uri);
  }

  private static String shown(String uri) {
    return uri.replaceFirst("//[^/]*@", "//");
  }

  /// The address as a [URI], for the schemes that are one.
  public URI toUri() {
    try {
      return new URI(uri);
    } catch (URISyntaxException e) {
      throw invalid("not an address: " + e.getMessage());
    }
  }

  private static String schemeOf(String uri) {
    return uri.substring(0, Math.max(0, uri.indexOf(':'))).toLowerCase(Locale.ROOT);
  }

  private static String formOf(String scheme) {
    return switch (scheme) {
      case "file" -> "file:/path/to/model";
      case "hf" -> "hf://org/name, hf://org/name@revision, hf://org/name@revision/file";
      case "https" -> "https://host/path";
      case "oci" -> "oci://registry/repository:tag, oci://registry/repository@sha256:digest";
      case "s3" -> "s3://bucket/file, s3://bucket/folder";
      default -> "pypi://package==version/path/inside";
    };
  }

  private static InvalidManifestException invalid(String message) {
    return new InvalidManifestException("spec.model.sources", message);
  }
}
