package dev.weft.runtime.source;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.source.S3Settings.Keys;
import java.net.URI;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Signatures of requests to an object store.
class S3SignerTest {
  private static final Keys KEYS =
      new Keys(
          "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", Optional.empty());
  private static final Clock CLOCK =
      Clock.fixed(Instant.parse("2013-05-24T00:00:00Z"), ZoneOffset.UTC);
  private static final String HOST = "examplebucket.s3.amazonaws.com";

  private static Map<String, String> sign(Keys keys, URI address) {
    return new S3Signer(keys, "us-east-1", CLOCK).headers(address);
  }

  /// Amazon's own examples: "Examples: Signature calculations", GET bucket lifecycle and GET bucket
  /// (list objects).
  @ParameterizedTest
  @CsvSource({
    "?lifecycle, fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    "?max-keys=2&prefix=J, 34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
  })
  void signsAsAmazonsExamplesDo(String query, String signature) {
    Map<String, String> headers = sign(KEYS, URI.create("https://" + HOST + "/" + query));
    assertThat(headers.get("authorization"))
        .contains(
            "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request",
            "SignedHeaders=host;x-amz-content-sha256;x-amz-date",
            "Signature=" + signature);
    assertThat(headers)
        .containsEntry("x-amz-date", "20130524T000000Z")
        .containsOnlyKeys("authorization", "x-amz-date", "x-amz-content-sha256");
  }

  /// What needs encoding, checked by other code with the same secret.
  @ParameterizedTest
  @ValueSource(
      strings = {"a.gguf", "a b+c/d=e&f.gguf", "ünïcode/模型.gguf", "%41/~(x)*'!.gguf", "x/$,:@;"})
  void signsAnyKey(String key) {
    for (Optional<String> token :
        java.util.List.of(Optional.<String>empty(), Optional.of("t+/="))) {
      URI address =
          URI.create(
              "http://127.0.0.1:9000/bucket/%s?prefix=%s"
                  .formatted(S3Client.encode(key, "/"), S3Client.encode(key, "")));
      Keys keys = new Keys(KEYS.id(), KEYS.secret(), token);
      Map<String, String> headers = new HashMap<>(sign(keys, address));
      headers.put("host", "127.0.0.1:9000");
      assertThat(headers.get("x-amz-security-token")).isEqualTo(token.orElse(null));
      assertThat(isSigned(address, headers, KEYS.secret())).isTrue();
      assertThat(isSigned(address, headers, "another")).isFalse();
    }
  }

  private static boolean isSigned(URI address, Map<String, String> headers, String secret) {
    return S3Verifier.isSigned(
        address.getRawPath(), address.getRawQuery(), headers, KEYS.id(), secret);
  }

  @Test
  void keysAreNotShown() {
    assertThat(new Keys("id", "geheim", Optional.of("pass")))
        .asString()
        .doesNotContain("geheim", "pass");
  }
}
