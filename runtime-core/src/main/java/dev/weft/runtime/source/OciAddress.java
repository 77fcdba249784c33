package dev.weft.runtime.source;

import dev.weft.functions.ModelSource;
import dev.weft.runtime.source.SourceException.Code;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// `oci://registry/repository:tag` or `oci://registry/repository@sha256:digest`, parsed.
///
/// @param registry its host, and its port if it has one of its own
/// @param reference the tag or the digest; the digest where there are both
record OciAddress(String registry, String repository, String reference) {
  private static final Pattern ADDRESS =
      Pattern.compile(
          "oci://(?<registry>[^/]+)/(?<repository>[^:@]+)(:(?<tag>[^:@]+))?(@(?<digest>sha256:.+))?");
  private static final String DOCKER_HUB = "docker.io";

  static OciAddress of(ModelSource source) {
    Matcher matcher = ADDRESS.matcher(source.uri());
    if (!matcher.matches()) {
      throw new SourceException(
          Code.UNUSABLE,
          "not of the form oci://registry/repository:tag or oci://registry/repository@sha256:digest");
    }
    String digest = matcher.group("digest");
    String registry = matcher.group("registry");
    String repository = matcher.group("repository");
    boolean official = registry.equals(DOCKER_HUB) && repository.indexOf('/') < 0;
    return new OciAddress(
        registry,
        official ? "library/" + repository : repository,
        digest == null ? matcher.group("tag") : digest);
  }

  boolean isDigest() {
    return reference.startsWith("sha256:");
  }

  /// The host that answers for the registry.
  String host() {
    return registry.equals(DOCKER_HUB) ? "registry-1.docker.io" : registry;
  }

  /// For messages.
  String shown() {
    return registry + "/" + repository + (isDigest() ? "@" : ":") + reference;
  }

  /// A directory's name for the repository.
  String folder() {
    return (registry + "/" + repository).replace(":", "-").replace("/", "--");
  }
}
