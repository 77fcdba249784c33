package dev.weft.platform.management;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.functions.Json;
import dev.weft.functions.Manifests;
import dev.weft.functions.Model;
import dev.weft.platform.control.DeployedFunction;
import dev.weft.platform.control.FunctionDirectory;
import dev.weft.platform.http.Authentication;
import dev.weft.platform.keys.ApiKey;
import io.vertx.core.buffer.Buffer;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// `GET /openapi`: the document `openapi.json` of this module, with the manifest's schema, and with
/// a path for each function that the caller may invoke, whose schema is that of the function's
/// kind.
@Singleton
public final class OpenApiRoute {
  static final String PATH = "/openapi";
  private static final String INVOKE = "/functions/{name}/invoke";

  private final FunctionDirectory directory;
  private final ObjectMapper json = Json.mapper();
  private final ObjectNode document;

  public OpenApiRoute(FunctionDirectory directory) {
    this.directory = directory;
    this.document = read();
  }

  void register(@Observes Router router) {
    router.get(PATH).handler(this::answer);
  }

  private void answer(RoutingContext context) {
    ApiKey key = Authentication.keyOf(context);
    ObjectNode answer = document.deepCopy();
    directory.snapshot().sorted().stream()
        .filter(function -> key.mayInvoke(function.name()))
        .forEach(function -> addInvoke(answer, function));
    context
        .response()
        .putHeader("Content-Type", "application/json")
        .end(Buffer.buffer(answer.toString()));
  }

  private static void addInvoke(ObjectNode answer, DeployedFunction function) {
    String schema = schema(function.spec().model().kind());
    ObjectNode path = (ObjectNode) answer.at("/paths/" + INVOKE.replace("/", "~1")).deepCopy();
    path.remove("parameters");
    ObjectNode post = (ObjectNode) path.get("post");
    post.put("operationId", "invoke_" + function.name().value());
    post.put("summary", "Calls the function " + function.name());
    ((ObjectNode) post.at("/requestBody/content/application~1json"))
        .putObject("schema")
        .put("$ref", "#/components/schemas/" + schema);
    ((ObjectNode) answer.get("paths")).set(INVOKE.replace("{name}", function.name().value()), path);
  }

  private static String schema(Model.@Nullable Kind kind) {
    return switch (kind) {
      case null -> "Invoke";
      case GENERATION -> "GenerationInvoke";
      case EMBEDDING -> "EmbeddingInvoke";
    };
  }

  private ObjectNode read() {
    try (InputStream in = OpenApiRoute.class.getResourceAsStream("/openapi.json")) {
      ObjectNode read = (ObjectNode) json.readTree(Objects.requireNonNull(in, "openapi.json"));
      ObjectNode manifest = (ObjectNode) json.readTree(Manifests.jsonSchema());
      ((ObjectNode) read.at("/components/schemas")).set("Function", manifest);
      return read;
    } catch (IOException e) {
      throw new UncheckedIOException("openapi.json", e);
    }
  }
}
