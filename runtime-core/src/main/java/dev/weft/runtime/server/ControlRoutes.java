package dev.weft.runtime.server;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.Function;
import dev.weft.functions.InvalidManifestException;
import dev.weft.functions.Json;
import dev.weft.functions.instance.ControlApi.LoadRequest;
import dev.weft.functions.instance.ControlApi.PrewarmRequest;
import dev.weft.functions.instance.ControlApi.Rejection;
import dev.weft.functions.instance.ControlApi.UnloadRequest;
import dev.weft.runtime.instance.ControlOutcome;
import dev.weft.runtime.instance.InstanceManager;
import dev.weft.runtime.server.openai.ApiError;
import dev.weft.runtime.server.openai.ApiError.Category;
import dev.weft.runtime.server.openai.ApiException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// The control API. Refusals are [Rejection]s with status 409; everything else that goes wrong has
/// the shape of OpenAI's errors.
final class ControlRoutes {
  private static final ObjectMapper JSON = Json.mapper();

  private final InstanceManager instances;
  private final ServerSettings settings;
  private final Runnable onDrain;

  /// @param onDrain begins the end of the process; returns at once
  ControlRoutes(InstanceManager instances, ServerSettings settings, Runnable onDrain) {
    this.instances = instances;
    this.settings = settings;
    this.onDrain = onDrain;
  }

  void load(Call call) {
    LoadRequest request = read(call, LoadRequest.class);
    require(request.revision(), "revision");
    answer(
        call,
        202,
        instances.load(request.revision(), request.pinned(), Optional.ofNullable(request.base())));
  }

  void unload(Call call) {
    UnloadRequest request = read(call, UnloadRequest.class);
    require(request.revision(), "revision");
    answer(call, 200, instances.unload(request.revision(), request.force()));
  }

  void prewarm(Call call) {
    PrewarmRequest request = read(call, PrewarmRequest.class);
    require(request.revision(), "revision");
    require(request.tier(), "tier");
    answer(call, 202, instances.prewarm(request.revision(), request.tier()));
  }

  void inspect(Call call) {
    respond(call, 200, instances.inspect(read(call, Function.class)));
  }

  void drain(Call call) {
    onDrain.run();
    respond(call, 202, instances.status());
  }

  void status(Call call) {
    respond(call, 200, instances.status());
  }

  void statusStream(Call call) {
    new StatusStream(call, JSON, settings.statusInterval()).open(instances);
  }

  private static void answer(Call call, int status, ControlOutcome outcome) {
    switch (outcome) {
      case ControlOutcome.Accepted(var instance, _) -> respond(call, status, instance);
      case ControlOutcome.Refused(Rejection rejection) -> respond(call, 409, rejection);
    }
  }

  private static <T> T read(Call call, Class<T> type) {
    // Within the same bounds as every other body.
    var body = call.json();
    try {
      return JSON.treeToValue(body, type);
    } catch (JsonProcessingException e) {
      throw refusal(e);
    }
  }

  private static ApiException refusal(JsonProcessingException e) {
    if (e.getCause() instanceof InvalidManifestException invalid) {
      return new ApiException(ErrorMapping.of(invalid));
    }
    return new ApiException(
        ApiError.of(
            Category.INVALID,
            "The body does not have the shape that this call takes%s.".formatted(place(e)),
            null,
            "invalid_body"));
  }

  /// Where in the body; Jackson's own message names classes.
  private static String place(JsonProcessingException e) {
    if (!(e instanceof JsonMappingException mapping) || mapping.getPath().isEmpty()) {
      return "";
    }
    return mapping.getPath().stream()
        .map(JsonMappingException.Reference::getFieldName)
        .filter(Objects::nonNull)
        .collect(Collectors.joining(".", ": look at '", "'"));
  }

  /// A record's member that JSON left out is `null`, whatever its type says.
  private static void require(@Nullable Object member, String name) {
    if (member == null) {
      throw ApiError.invalid(
          name, "missing_required_parameter", "Missing required parameter: '%s'.".formatted(name));
    }
  }

  private static void respond(Call call, int status, Object body) {
    try {
      call.respond(status, "application/json", JSON.writeValueAsBytes(body));
    } catch (IOException e) {
      throw new UncheckedIOException("writing a record as JSON", e);
    }
  }
}
