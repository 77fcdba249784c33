package dev.weft.runtime.source;

import dev.weft.runtime.source.SourceException.Code;
import java.net.URI;
import java.util.Map;
import java.util.Optional;

/// Which object store there is and who asks it, by the variables that the store's own tools read.
///
/// @param endpoint `AWS_ENDPOINT_URL_S3`, else `AWS_ENDPOINT_URL`, without a slash at its end;
///   Amazon's own when empty
/// @param region `AWS_REGION`, else `AWS_DEFAULT_REGION`, else `us-east-1`
/// @param keys `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`; nobody in
///   particular asks when empty
/// @param virtualBuckets whether a bucket is a part of the host's name: so at Amazon, elsewhere
///   where `S3_USE_VIRTUAL_BUCKET` is set
/// @param role whether the environment names a role, which is not used
record S3Settings(
    Optional<URI> endpoint,
    String region,
    Optional<Keys> keys,
    boolean virtualBuckets,
    boolean role) {
  /// A pair of keys.
  record Keys(String id, String secret, Optional<String> sessionToken) {
    @Override
    public String toString() {
      return "Keys[id=%s]".formatted(id);
    }
  }

  static S3Settings of(Map<String, String> environment) {
    Optional<String> endpoint =
        value(environment, "AWS_ENDPOINT_URL_S3").or(() -> value(environment, "AWS_ENDPOINT_URL"));
    boolean virtualBuckets =
        value(environment, "S3_USE_VIRTUAL_BUCKET")
            .map(Boolean::parseBoolean)
            .orElse(endpoint.isEmpty());
    return new S3Settings(
        endpoint.map(S3Settings::address),
        value(environment, "AWS_REGION")
            .or(() -> value(environment, "AWS_DEFAULT_REGION"))
            .orElse("us-east-1"),
        keys(environment),
        virtualBuckets,
        value(environment, "AWS_ROLE_ARN").isPresent()
            || value(environment, "AWS_CONTAINER_CREDENTIALS_FULL_URI").isPresent());
  }

  private static Optional<Keys> keys(Map<String, String> environment) {
    Optional<String> id = value(environment, "AWS_ACCESS_KEY_ID");
    Optional<String> secret = value(environment, "AWS_SECRET_ACCESS_KEY");
    return id.isPresent() && secret.isPresent()
        ? Optional.of(new Keys(id.get(), secret.get(), value(environment, "AWS_SESSION_TOKEN")))
        : Optional.empty();
  }

  private static URI address(String endpoint) {
    try {
      URI address = URI.create(endpoint.replaceFirst("/+$", ""));
      if (address.getHost() != null && address.getRawUserInfo() == null) {
        return address;
      }
    } catch (IllegalArgumentException e) {
      // Said below; the text may hold a password.
    }
    throw new SourceException(
        Code.UNUSABLE, "AWS_ENDPOINT_URL is not of the form https://host or http://host:port");
  }

  private static Optional<String> value(Map<String, String> environment, String name) {
    return Optional.ofNullable(environment.get(name)).map(String::strip).filter(v -> !v.isEmpty());
  }

  /// The address that a bucket's objects are below, without a slash at its end. The certificates of
  /// Amazon's hosts are for names without further dots.
  URI bucket(String bucket) {
    URI base = endpoint.orElseGet(this::amazon);
    if (!virtualBuckets || (endpoint.isEmpty() && bucket.indexOf('.') >= 0)) {
      return URI.create(base + "/" + bucket);
    }
    return URI.create(base.toString().replaceFirst("://", "://" + bucket + "."));
  }

  private URI amazon() {
    String domain = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
    return URI.create("https://s3.%s.%s".formatted(region, domain));
  }
}
