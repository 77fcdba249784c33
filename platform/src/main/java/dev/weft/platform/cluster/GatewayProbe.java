package dev.weft.platform.cluster;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/// Asks a gateway whether it answers who has the key, and nobody else: what `helm test` runs, in a
/// pod of the platform's image. It needs nothing but the JDK.
public final class GatewayProbe {
  /// A gateway that has just started may have to hear of keys yet.
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private static final Duration PAUSE = Duration.ofMillis(500);
  private static final Duration ANSWER = Duration.ofSeconds(10);

  private final HttpClient http = HttpClient.newBuilder().connectTimeout(ANSWER).build();
  private final URI gateway;
  private final String key;

  GatewayProbe(URI gateway, String key) {
    this.gateway = gateway;
    this.key = key;
  }

  /// Ends with 0 when the gateway does what it should.
  ///
  /// @param arguments where the gateway is, and a file with the key
  public static void main(String... arguments) throws IOException, InterruptedException {
    URI gateway = URI.create(arguments[0]);
    String key = Files.readString(Path.of(arguments[1])).strip();
    Optional<String> problem = new GatewayProbe(gateway, key).problem(PATIENCE);
    if (problem.isPresent()) {
      System.err.println("weft: " + problem.get());
      System.exit(1);
    }
    System.out.println("%s answers whoever has the key".formatted(gateway));
  }

  /// What is wrong with it, after having waited so long for it to be well.
  Optional<String> problem(Duration patience) throws InterruptedException {
    Instant giveUp = Instant.now().plus(patience);
    Optional<String> problem = problem();
    while (problem.isPresent() && Instant.now().isBefore(giveUp)) {
      Thread.sleep(PAUSE);
      problem = problem();
    }
    return problem;
  }

  private Optional<String> problem() throws InterruptedException {
    try {
      HttpRequest.Builder models = HttpRequest.newBuilder(gateway.resolve("/v1/models"));
      HttpResponse<String> stranger = send(models.copy());
      if (stranger.statusCode() != 401) {
        return unexpected("without a key", 401, stranger);
      }
      HttpResponse<String> known = send(models.header("Authorization", "Bearer " + key));
      return known.statusCode() == 200 ? Optional.empty() : unexpected("with the key", 200, known);
    } catch (IOException e) {
      return Optional.of("%s does not answer: %s".formatted(gateway, e));
    }
  }

  private HttpResponse<String> send(HttpRequest.Builder request)
      throws IOException, InterruptedException {
    return http.send(request.timeout(ANSWER).build(), HttpResponse.BodyHandlers.ofString());
  }

  private static Optional<String> unexpected(
      String how, int expected, HttpResponse<String> answer) {
    return Optional.of(
        "%s answers %d %s, not %d: %s"
            .formatted(answer.uri(), answer.statusCode(), how, expected, answer.body().strip()));
  }
}
