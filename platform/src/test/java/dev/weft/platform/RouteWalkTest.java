package dev.weft.platform;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.weft.platform.http.Authentication;
import dev.weft.platform.stub.PlatformClient;
import dev.weft.platform.stub.PlatformTest;
import io.quarkus.test.junit.QuarkusTest;
import io.vertx.core.http.HttpMethod;
import io.vertx.ext.web.Route;
import io.vertx.ext.web.Router;
import jakarta.inject.Inject;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// Walks the route table: every path of it asks for a key, but the public list.
@QuarkusTest
class RouteWalkTest extends PlatformTest {
  @Inject Router router;

  @Test
  void everyRouteButThePublicOnesAsksForAKey() {
    Set<String> seen = new TreeSet<>();
    for (Route route : router.getRoutes()) {
      String path = path(route);
      Set<HttpMethod> methods = route.methods();
      for (HttpMethod method :
          methods == null ? Set.of(HttpMethod.GET, HttpMethod.POST) : methods) {
        check(method.name(), path, null, seen);
        check(method.name(), path, "weft_" + "0".repeat(43), seen);
        check(method.name(), path, "", seen);
      }
    }
    assertThat(seen)
        .contains(
            "POST /v1/chat/completions",
            "POST /v1/completions",
            "POST /v1/embeddings",
            "GET /v1/models",
            "POST /functions/x/invoke",
            "POST /api/v1/functions",
            "POST /api/v1/shutdown",
            "DELETE /api/v1/keys/x",
            "GET /metrics");
  }

  private void check(String method, String path, @Nullable String key, Set<String> seen) {
    PlatformClient.Reply reply = client().withKey(key).send(method, path, "{}");
    int status = reply.status();
    assertThat(reply.raw().headers().firstValue("x-request-id"))
        .as("%s %s", method, path)
        .isPresent();
    if (Authentication.PUBLIC_PATHS.contains(path)) {
      assertThat(status).as("%s %s", method, path).isIn(200, 404);
    } else {
      assertThat(status).as("%s %s", method, path).isEqualTo(401);
      seen.add(method + " " + path);
    }
  }

  @Test
  void pathsThatOnlyLookPublicAskForAKey() {
    PlatformClient stranger = client().withKey(null);
    for (String path :
        new String[] {
          "/health/../api/v1/keys",
          "/health/",
          "//api/v1/keys",
          "/Health",
          "/q/health/../../metrics",
          "/q/health/group/x",
          "/health;x=/api/v1/keys",
          "/%2e%2e/health",
          "/"
        }) {
      PlatformClient.Reply reply = stranger.get(path);
      if (reply.status() != 401) {
        // The path is another way to write a public one, and gives no more than that.
        assertThat(reply.body()).as(path).isEqualTo(stranger.get("/health").body());
      }
    }
    assertThat(stranger.get("/health").status()).isEqualTo(200);
  }

  @Test
  void everyRouteIsInTheOpenApiDocument() {
    client().deployed("documented", "embed");
    JsonNode paths = client().get("/openapi").json().path("paths");
    for (Route route : router.getRoutes()) {
      String path = route.getPath();
      if (path == null || path.startsWith("/metrics")) {
        continue;
      }
      String template = path.replaceAll(":(\\w+)", "{$1}");
      for (HttpMethod method : route.methods()) {
        assertThat(paths.path(template).has(method.name().toLowerCase(Locale.ROOT)))
            .as("%s %s", method, template)
            .isTrue();
      }
    }
    assertThat(
            paths
                .at("/~1functions~1documented~1invoke/post/requestBody/content/application~1json")
                .at("/schema/$ref")
                .asText())
        .isEqualTo("#/components/schemas/EmbeddingInvoke");
  }

  private static String path(Route route) {
    String path = route.getPath();
    return path == null ? "/anything" : path.replaceAll(":\\w+", "x").replace("*", "x");
  }
}
