package dev.weft.runtime.source;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.runtime.source.RegistryLogins.Login;
import dev.weft.runtime.source.SourceException.Code;
import dev.weft.runtime.source.Web.Answer;
import dev.weft.runtime.source.Web.Credential;
import dev.weft.runtime.source.Web.Rules;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// What one repository of a registry is asked with. A registry says itself how it wants to be
/// asked, when it refuses the first request: with the login, or with a token that another server
/// gives for it and that is valid for minutes (distribution specification, "Token authentication").
/// A download that goes on after that gets another.
///
/// **thread**: one.
final class RegistryAccess implements Credential {
  private static final int MAX_TOKEN_BYTES = 1 << 20;
  private static final Duration SHORTEST = Duration.ofSeconds(60);
  private static final Duration MARGIN = Duration.ofSeconds(10);
  private static final Pattern MEMBER = Pattern.compile("(\\w+)=(?:\"([^\"]*)\"|([^\\s,]+))");
  private static final ObjectMapper JSON = new ObjectMapper();

  private final OciAddress address;
  private final Login login;
  private final Web web;
  private final Rules rules;
  private final Transfer transfer;
  private @Nullable URI tokens;
  private boolean basic;
  private String token = "";
  private long validUntil;

  /// @param rules for the server of tokens
  RegistryAccess(OciAddress address, Login login, Web web, Rules rules, Transfer transfer) {
    this.address = address;
    this.login = login;
    this.web = web;
    this.rules = rules;
    this.transfer = transfer;
  }

  @Override
  public Map<String, String> headers(URI at) {
    URI from = tokens;
    if (from != null) {
      if (System.nanoTime() - validUntil >= 0) {
        fetch(from);
      }
      return Map.of("authorization", "Bearer " + token);
    }
    return basic ? withLogin() : Map.of();
  }

  private Map<String, String> withLogin() {
    return login.basic().map(text -> Map.of("authorization", "Basic " + text)).orElse(Map.of());
  }

  /// Learns from a refusal (401) how to ask.
  ///
  /// @return whether asking again makes sense
  boolean learn(Answer refusal) {
    String challenge = refusal.header("www-authenticate").orElse("");
    String scheme = challenge.replaceFirst("\\s.*$", "").toLowerCase(Locale.ROOT);
    if (scheme.equals("basic") && login.basic().isPresent() && !basic) {
      basic = true;
      return true;
    }
    if (!scheme.equals("bearer") || tokens != null) {
      return false;
    }
    String realm = member(challenge, "realm").orElse("");
    String query =
        "scope=" + S3Client.encode("repository:%s:pull".formatted(address.repository()), ":/");
    Optional<String> service = member(challenge, "service");
    if (service.isPresent()) {
      query = "service=" + S3Client.encode(service.get(), "") + "&" + query;
    }
    try {
      tokens = URI.create(realm + (realm.indexOf('?') < 0 ? "?" : "&") + query);
    } catch (IllegalArgumentException e) {
      throw new SourceException(Code.UNUSABLE, "the registry names no server of tokens", e);
    }
    validUntil = System.nanoTime();
    return true;
  }

  private static Optional<String> member(String challenge, String name) {
    Matcher members = MEMBER.matcher(challenge);
    while (members.find()) {
      if (members.group(1).equalsIgnoreCase(name)) {
        return Optional.of(members.group(2) == null ? members.group(3) : members.group(2));
      }
    }
    return Optional.empty();
  }

  private void fetch(URI from) {
    long asked = System.nanoTime();
    Rules asMyself = new Rules(rules.maxRedirects(), rules.reach(), _ -> withLogin());
    try (Answer answer = web.get(from, Map.of(), asMyself, transfer)) {
      if (answer.status() == 401 || answer.status() == 403) {
        throw refused();
      }
      if (answer.status() != 200) {
        throw Web.failure(answer.status(), "a token of " + from.getHost());
      }
      JsonNode body = JSON.readTree(answer.last().body().readNBytes(MAX_TOKEN_BYTES));
      token = body.path("token").asText(body.path("access_token").asText(""));
      long seconds = body.path("expires_in").asLong(SHORTEST.toSeconds());
      Duration valid = Duration.ofSeconds(seconds).minus(MARGIN);
      validUntil = asked + Math.max(0, valid.toNanos());
    } catch (IOException e) {
      throw new SourceException(
          Code.UNUSABLE, "%s gives no token that can be read".formatted(from.getHost()), e);
    }
    if (token.isEmpty()) {
      throw new SourceException(
          Code.UNUSABLE, "%s gives no token that can be read".formatted(from.getHost()));
    }
  }

  /// The registry does not let in who asks. Registries say so too of what is not there.
  SourceException refused() {
    String what = address.registry() + "/" + address.repository();
    return new SourceException(
        Code.UNAUTHORISED,
        login.basic().isPresent()
            ? "the registry's login may not read %s, or it is not there".formatted(what)
            : login
                .helper()
                .map(name ->
                    "the login for %s is kept by docker-credential-%s, which is not run; put it under auths in Docker's config.json"
                        .formatted(address.registry(), name))
                .orElse(
                    "%s is not public, or not there; a login goes under auths in Docker's config.json (DOCKER_CONFIG)"
                        .formatted(what)));
  }
}
