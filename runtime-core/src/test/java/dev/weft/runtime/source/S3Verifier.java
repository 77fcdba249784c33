package dev.weft.runtime.source;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.net.URLDecoder;
import java.security.GeneralSecurityException;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/// Checks a signature as the description of AWS Signature Version 4 has it ("Create a signed AWS
/// API request"), in code of its own.
final class S3Verifier {
  private static final Pattern AUTHORIZATION =
      Pattern.compile(
          "AWS4-HMAC-SHA256 Credential=([^/]+)/(\\d{8})/([^/]+)/s3/aws4_request,"
              + " ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})");

  private S3Verifier() {}

  /// Whether the authorization of a GET is that of who has the secret.
  ///
  /// @param headers by their names in lower case
  static boolean isSigned(
      String rawPath, String rawQuery, Map<String, String> headers, String id, String secret) {
    Matcher given = AUTHORIZATION.matcher(headers.getOrDefault("authorization", ""));
    if (!given.matches() || !given.group(1).equals(id)) {
      return false;
    }
    String signedHeaders = given.group(4);
    String lines =
        Arrays.stream(signedHeaders.split(";", -1))
            .map(name -> name + ":" + headers.getOrDefault(name, "").strip() + "\n")
            .collect(Collectors.joining());
    String canonical =
        String.join(
            "\n",
            "GET",
            rawPath,
            canonicalQuery(rawQuery),
            lines,
            signedHeaders,
            headers.getOrDefault("x-amz-content-sha256", ""));
    String scope = given.group(2) + "/" + given.group(3) + "/s3/aws4_request";
    String text =
        String.join(
            "\n",
            "AWS4-HMAC-SHA256",
            headers.getOrDefault("x-amz-date", ""),
            scope,
            Hashes.sha256(canonical));
    byte[] key = ("AWS4" + secret).getBytes(UTF_8);
    for (String part : scope.split("/", -1)) {
      key = hmac(key, part);
    }
    return Hashes.hex(hmac(key, text)).equals(given.group(5));
  }

  private static String canonicalQuery(String rawQuery) {
    Map<String, String> sorted = new TreeMap<>();
    for (String member : rawQuery.isEmpty() ? new String[0] : rawQuery.split("&", -1)) {
      String[] parts = member.split("=", 2);
      sorted.put(encoded(parts[0]), parts.length == 1 ? "" : encoded(parts[1]));
    }
    return sorted.entrySet().stream()
        .map(member -> member.getKey() + "=" + member.getValue())
        .collect(Collectors.joining("&"));
  }

  private static String encoded(String raw) {
    StringBuilder encoded = new StringBuilder();
    for (byte each : URLDecoder.decode(raw, UTF_8).getBytes(UTF_8)) {
      char c = (char) (each & 0xff);
      encoded.append(
          (c < 128 && Character.isLetterOrDigit(c)) || "-._~".indexOf(c) >= 0
              ? String.valueOf(c)
              : "%%%02X".formatted((int) c));
    }
    return encoded.toString();
  }

  private static byte[] hmac(byte[] key, String text) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(key, "HmacSHA256"));
      return mac.doFinal(text.getBytes(UTF_8));
    } catch (GeneralSecurityException e) {
      throw new AssertionError(e);
    }
  }
}
