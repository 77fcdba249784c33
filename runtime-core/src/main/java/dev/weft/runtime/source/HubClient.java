package dev.weft.runtime.source;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.runtime.source.Addresses.Reach;
import dev.weft.runtime.source.SourceException.Code;
import dev.weft.runtime.source.Web.Answer;
import dev.weft.runtime.source.Web.Credential;
import dev.weft.runtime.source.Web.Rules;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// The hub's HTTP interface, as far as models need it: what a revision means, which files a commit
/// has, where a file's bytes are.
final class HubClient {
  private static final int MAX_REDIRECTS = 5;
  private static final int MAX_ANSWER_BYTES = 32 << 20;
  private static final int MAX_PAGES = 50;
  private static final Pattern NEXT = Pattern.compile("<([^>]+)>;\\s*rel=\"next\"");
  private static final ObjectMapper JSON = new ObjectMapper();

  private final HubSettings settings;
  private final Web web;
  private final Duration connectTimeout;

  HubClient(HubSettings settings, Web web, Duration connectTimeout) {
    this.settings = settings;
    this.web = web;
    this.connectTimeout = connectTimeout;
  }

  /// Redirects lead to the hub's content network. A hub on a private network, the word of this
  /// machine's owner, may lead to private addresses; the public one may not.
  Rules rules() {
    URI endpoint = settings.endpoint();
    if ("http".equals(endpoint.getScheme()) && !Addresses.isLoopback(endpoint, connectTimeout)) {
      throw new SourceException(
          Code.REFUSED, "HF_ENDPOINT is plain http: and not on this machine; use https:");
    }
    boolean privateHub = Addresses.isPrivate(endpoint, connectTimeout);
    return new Rules(
        MAX_REDIRECTS,
        privateHub ? Reach.PRIVATE : Reach.PUBLIC,
        settings.token().map(Credential::bearer).orElse(Credential.NONE));
  }

  /// The commit that a revision stands for now.
  String commit(HubAddress address, Transfer transfer) {
    String path =
        "/api/models/%s/revision/%s"
            .formatted(address.repository(), encode(address.revision()).replace("/", "%2F"));
    String commit = json(at(path), address, transfer).body().path("sha").asText("");
    if (!HubAddress.isCommit(commit)) {
      throw new SourceException(Code.UNUSABLE, "the hub names no commit for " + address.revision());
    }
    return commit;
  }

  /// All files of a commit.
  List<ListedFile> files(HubAddress address, String commit, Transfer transfer) {
    List<ListedFile> files = new ArrayList<>();
    Optional<URI> page =
        Optional.of(
            at("/api/models/%s/tree/%s?recursive=true".formatted(address.repository(), commit)));
    for (int pages = 0; page.isPresent(); pages++) {
      if (pages == MAX_PAGES) {
        throw new SourceException(Code.REFUSED, "the repository has too many files");
      }
      Page read = json(page.get(), address, transfer);
      for (JsonNode node : read.body()) {
        if (node.path("type").asText().equals("file")) {
          files.add(file(node));
        }
      }
      page = read.next();
    }
    return files;
  }

  URI content(HubAddress address, String commit, ListedFile file) {
    return at("/%s/resolve/%s/%s".formatted(address.repository(), commit, encode(file.path())));
  }

  private static ListedFile file(JsonNode node) {
    String path = node.path("path").asText();
    if (!ModelFileNames.isPlainPath(path)) {
      throw new SourceException(Code.REFUSED, "the hub lists a name that leads out: " + path);
    }
    JsonNode lfs = node.path("lfs");
    boolean large = lfs.hasNonNull("oid");
    String hash = large ? lfs.path("oid").asText() : node.path("oid").asText();
    long bytes = large ? lfs.path("size").asLong(-1) : node.path("size").asLong(-1);
    if (!hash.matches(large ? "[0-9a-f]{64}" : "[0-9a-f]{40}") || bytes < 0) {
      throw new SourceException(
          Code.UNUSABLE, "the hub lists %s without hash or size".formatted(path));
    }
    return new ListedFile(path, bytes, large ? Hashes.SHA_256 : Hashes.GIT_SHA_1, hash);
  }

  /// One page of an answer.
  private record Page(JsonNode body, Optional<URI> next) {}

  private Page json(URI address, HubAddress model, Transfer transfer) {
    try (Answer answer = web.get(address, Map.of(), rules(), transfer)) {
      if (answer.status() != 200) {
        throw failure(answer, model);
      }
      byte[] body = answer.last().body().readNBytes(MAX_ANSWER_BYTES + 1);
      if (body.length > MAX_ANSWER_BYTES) {
        throw new SourceException(Code.REFUSED, "the hub's list of files is too long");
      }
      return new Page(JSON.readTree(body), next(answer, address));
    } catch (JsonProcessingException e) {
      throw new SourceException(
          Code.UNUSABLE, "what answers at %s is not a hub".formatted(settings.endpoint()), e);
    } catch (IOException e) {
      throw new SourceException(Code.UNREACHABLE, "the hub's answer ended early", e);
    }
  }

  private static Optional<URI> next(Answer answer, URI address) {
    Matcher link = NEXT.matcher(answer.header("link").orElse(""));
    if (!link.find()) {
      return Optional.empty();
    }
    URI next = address.resolve(link.group(1));
    if (!Web.sameOrigin(next, address)) {
      throw new SourceException(Code.REFUSED, "the hub's list goes on at another host");
    }
    return Optional.of(next);
  }

  /// The hub says 401 for a repository that does not exist as for one that is private.
  private SourceException failure(Answer answer, HubAddress model) {
    String error = answer.header("x-error-code").orElse("");
    boolean token = settings.token().isPresent();
    return switch (answer.status()) {
      case 401, 403 ->
          new SourceException(
              Code.UNAUTHORISED,
              error.equals("GatedRepo")
                  ? "%s is gated: accept its terms on its page, then set HF_TOKEN"
                      .formatted(model.repository())
                  : token
                      ? "the hub refuses the token in HF_TOKEN for " + model.repository()
                      : "the hub has no public model %s; a private one needs HF_TOKEN"
                          .formatted(model.repository()));
      case 404 ->
          new SourceException(
              Code.NOT_FOUND,
              error.equals("RevisionNotFound")
                  ? "%s has no revision %s".formatted(model.repository(), model.revision())
                  : "the hub has no model " + model.repository());
      default -> Web.failure(answer.status(), model.repository());
    };
  }

  private URI at(String path) {
    return URI.create(settings.endpoint() + path);
  }

  private static String encode(String path) {
    try {
      return new URI(null, null, "/" + path, null).getRawPath().substring(1);
    } catch (URISyntaxException e) {
      throw new SourceException(Code.UNUSABLE, "not a file's name: " + path, e);
    }
  }
}
