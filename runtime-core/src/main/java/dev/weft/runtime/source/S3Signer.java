package dev.weft.runtime.source;

import dev.weft.runtime.source.S3Settings.Keys;
import dev.weft.runtime.source.Web.Credential;
import java.net.URI;
import java.time.Clock;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import software.amazon.awssdk.http.SdkHttpMethod;
import software.amazon.awssdk.http.SdkHttpRequest;
import software.amazon.awssdk.http.auth.aws.signer.AwsV4HttpSigner;
import software.amazon.awssdk.identity.spi.AwsCredentialsIdentity;
import software.amazon.awssdk.identity.spi.AwsSessionCredentialsIdentity;

/// Signatures of requests to an object store (AWS Signature Version 4), by Amazon's library for
/// them. Only this class knows that library, so that it is loaded when the first request is signed.
///
/// What is signed is the address and the time. Ranges and conditions are not: the store does not
/// ask for it, and each part of a download would need another signature.
final class S3Signer implements Credential {
  private static final Set<String> SENT =
      Set.of("authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token");

  private final AwsV4HttpSigner signer = AwsV4HttpSigner.create();
  private final AwsCredentialsIdentity identity;
  private final String region;
  private final Clock clock;

  S3Signer(Keys keys, String region, Clock clock) {
    this.identity =
        keys.sessionToken().isPresent()
            ? AwsSessionCredentialsIdentity.create(
                keys.id(), keys.secret(), keys.sessionToken().get())
            : AwsCredentialsIdentity.create(keys.id(), keys.secret());
    this.region = region;
    this.clock = clock;
  }

  /// The headers of a GET; the path of `address` is encoded as [S3Client] does it.
  @Override
  public Map<String, String> headers(URI address) {
    Map<String, List<String>> signed =
        signer
            .sign(request ->
                request
                    .identity(identity)
                    .request(
                        SdkHttpRequest.builder().method(SdkHttpMethod.GET).uri(address).build())
                    .putProperty(AwsV4HttpSigner.SERVICE_SIGNING_NAME, "s3")
                    .putProperty(AwsV4HttpSigner.REGION_NAME, region)
                    .putProperty(AwsV4HttpSigner.DOUBLE_URL_ENCODE, false)
                    .putProperty(AwsV4HttpSigner.NORMALIZE_PATH, false)
                    .putProperty(AwsV4HttpSigner.SIGNING_CLOCK, clock))
            .request()
            .headers();
    return signed.entrySet().stream()
        .filter(header -> SENT.contains(header.getKey().toLowerCase(Locale.ROOT)))
        .collect(
            Collectors.toMap(
                header -> header.getKey().toLowerCase(Locale.ROOT),
                header -> header.getValue().getFirst()));
  }
}
