package dev.weft.runtime.source;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.weft.runtime.source.Addresses.Reach;
import dev.weft.runtime.source.S3Answers.Page;
import dev.weft.runtime.source.S3Answers.Refusal;
import dev.weft.runtime.source.SourceException.Code;
import dev.weft.runtime.source.Web.Answer;
import dev.weft.runtime.source.Web.Credential;
import dev.weft.runtime.source.Web.Rules;
import java.io.IOException;
import java.net.URI;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import javax.xml.stream.XMLStreamException;

/// An object store's HTTP interface, as far as models need it: what a bucket holds, and where an
/// object's bytes are.
final class S3Client {
  private static final int MAX_PAGES = 50;
  private static final int MAX_PAGE_BYTES = 8 << 20;
  private static final int MAX_ERROR_BYTES = 1 << 16;
  private static final String UNRESERVED = "-._~";

  private final S3Settings settings;
  private final Web web;
  private final Duration connectTimeout;

  S3Client(S3Settings settings, Web web, Duration connectTimeout) {
    this.settings = settings;
    this.web = web;
    this.connectTimeout = connectTimeout;
  }

  /// The store is the word of this machine's owner, so it may be on a private network (Amazon's
  /// too, by an endpoint of the owner's network), and an endpoint there may well have no
  /// certificate: signatures do not tell the secret to who listens.
  Rules rules() {
    boolean privateStore =
        settings.endpoint().map(at -> Addresses.isPrivate(at, connectTimeout)).orElse(false);
    return new Rules(
        0,
        privateStore ? Reach.PRIVATE_CLEAR : Reach.PRIVATE,
        settings
            .keys()
            .<Credential>map(keys -> new S3Signer(keys, settings.region(), Clock.systemUTC()))
            .orElse(Credential.NONE));
  }

  /// The objects at and below an address, but for those whose keys cannot be files' names.
  List<ListedFile> list(S3Address address, Transfer transfer) {
    List<ListedFile> files = new ArrayList<>();
    Rules rules = rules();
    Optional<String> next = Optional.of("");
    for (int pages = 0; next.isPresent(); pages++) {
      if (pages == MAX_PAGES) {
        throw new SourceException(
            Code.REFUSED, "more than %d objects there; name a folder".formatted(files.size()));
      }
      Page page = page(address, next.get(), rules, transfer);
      page.files().stream()
          .filter(file -> ModelFileNames.isPlainPath(file.path()) && file.bytes() >= 0)
          .forEach(files::add);
      next = page.next();
    }
    return files;
  }

  private Page page(S3Address address, String continuation, Rules rules, Transfer transfer) {
    String query =
        "/?list-type=2&encoding-type=url"
            + (continuation.isEmpty() ? "" : "&continuation-token=" + encode(continuation, ""))
            + (address.inside().isEmpty() ? "" : "&prefix=" + encode(address.inside(), ""));
    URI at = URI.create(settings.bucket(address.bucket()) + query);
    try (Answer answer = web.get(at, Map.of(), rules, transfer)) {
      if (answer.status() != 200) {
        throw failure(answer, address);
      }
      byte[] body = answer.last().body().readNBytes(MAX_PAGE_BYTES + 1);
      if (body.length > MAX_PAGE_BYTES) {
        throw new SourceException(Code.REFUSED, "the store's list of objects is too long");
      }
      return S3Answers.page(body);
    } catch (XMLStreamException e) {
      throw new SourceException(
          Code.UNUSABLE, "what answers at %s is not an object store".formatted(at.getHost()), e);
    } catch (IOException e) {
      throw new SourceException(Code.UNREACHABLE, "the store's answer ended early", e);
    }
  }

  /// One object, by asking for its first byte: who may read it need not be allowed to list.
  ListedFile object(S3Address address, Transfer transfer) {
    Map<String, String> first = Map.of("range", "bytes=0-0");
    try (Answer answer = web.get(content(address, address.inside()), first, rules(), transfer)) {
      if (answer.status() != 206) {
        throw answer.status() == 200
            ? new SourceException(Code.UNUSABLE, "the store sends no parts of objects")
            : failure(answer, address);
      }
      String bytes = answer.header("content-range").orElse("").replaceFirst("^bytes 0-0/", "");
      if (!bytes.matches("\\d{1,18}")) {
        throw new SourceException(Code.UNUSABLE, "the store does not tell the object's size");
      }
      return new ListedFile(
          address.inside(), Long.parseLong(bytes), Hashes.ETAG, answer.header("etag").orElse(""));
    }
  }

  URI content(S3Address address, String key) {
    return URI.create(settings.bucket(address.bucket()) + "/" + encode(key, "/"));
  }

  /// What an answer other than success means.
  SourceException failure(Answer answer, S3Address address) {
    Refusal refusal = refusal(answer);
    String region =
        answer.header("x-amz-bucket-region").filter(r -> !r.isEmpty()).orElse(refusal.region());
    return switch (refusal.code()) {
      case "NoSuchBucket" ->
          new SourceException(Code.NOT_FOUND, "the store has no bucket " + address.bucket());
      case "NoSuchKey" ->
          new SourceException(
              Code.NOT_FOUND,
              "the bucket %s has no object %s".formatted(address.bucket(), address.inside()));
      case "AccessDenied", "AllAccessDisabled", "Forbidden" -> denied(address);
      case "InvalidAccessKeyId" ->
          new SourceException(
              Code.UNAUTHORISED, "the store does not know the key in AWS_ACCESS_KEY_ID");
      case "SignatureDoesNotMatch" ->
          new SourceException(
              Code.UNAUTHORISED,
              "the store refuses the signature: AWS_SECRET_ACCESS_KEY is not the secret of that key");
      case "ExpiredToken", "InvalidToken", "TokenRefreshRequired" ->
          new SourceException(
              Code.UNAUTHORISED, "the store refuses AWS_SESSION_TOKEN: it is not valid any more");
      case "RequestTimeTooSkewed" ->
          new SourceException(
              Code.UNUSABLE,
              "this machine's clock is too far from the store's (%s); set it"
                  .formatted(answer.header("date").orElse("it tells no time")));
      case "PermanentRedirect",
          "TemporaryRedirect",
          "AuthorizationHeaderMalformed",
          "IllegalLocationConstraintException" ->
          elsewhere(address, region);
      case "PreconditionFailed" ->
          new SourceException(Code.CHECKSUM, "the object changed while it was fetched; try again");
      default -> other(answer, refusal.code(), address, region);
    };
  }

  private SourceException other(Answer answer, String code, S3Address address, String region) {
    return switch (answer.status()) {
      case 301, 307 -> elsewhere(address, region);
      case 403 -> denied(address);
      case 412 ->
          new SourceException(Code.CHECKSUM, "the object changed while it was fetched; try again");
      default -> {
        SourceException plain = Web.failure(answer.status(), address.bucket());
        yield code.isEmpty()
            ? plain
            : new SourceException(
                plain.code(),
                "%s: the store answers %s (HTTP %d)"
                    .formatted(address.bucket(), code, answer.status()));
      }
    };
  }

  private SourceException elsewhere(S3Address address, String region) {
    return new SourceException(
        Code.UNUSABLE,
        region.isEmpty()
            ? "the bucket %s is not in the region %s; set AWS_REGION to its own"
                .formatted(address.bucket(), settings.region())
            : "the bucket %s is in the region %s; set AWS_REGION=%2$s"
                .formatted(address.bucket(), region));
  }

  /// A store says the same of what is not there to who may not list the bucket.
  private SourceException denied(S3Address address) {
    String what = address.isFile() ? address.inside() : "the bucket " + address.bucket();
    String advice =
        settings.role()
            ? "; roles (AWS_ROLE_ARN) are not used, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            : "; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
    return new SourceException(
        Code.UNAUTHORISED,
        settings.keys().isPresent()
            ? "the key in AWS_ACCESS_KEY_ID may not read %s, or it is not there".formatted(what)
            : "%s is not public, or not there%s".formatted(what, advice));
  }

  private static Refusal refusal(Answer answer) {
    try {
      return S3Answers.refusal(answer.last().body().readNBytes(MAX_ERROR_BYTES));
    } catch (IOException e) {
      return Refusal.NONE; // the status says enough
    }
  }

  /// As signatures have it: every byte but letters, digits, `-._~` and what is `kept`.
  static String encode(String text, String kept) {
    StringBuilder encoded = new StringBuilder();
    for (byte each : text.getBytes(UTF_8)) {
      char c = (char) (each & 0xff);
      boolean plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      if (plain || UNRESERVED.indexOf(c) >= 0 || kept.indexOf(c) >= 0) {
        encoded.append(c);
      } else {
        encoded.append("%%%02X".formatted((int) c));
      }
    }
    return encoded.toString();
  }
}
