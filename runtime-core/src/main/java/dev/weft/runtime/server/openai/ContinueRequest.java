package dev.weft.runtime.server.openai;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.functions.instance.ControlApi;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/// `POST /control/continue`: a stream that broke elsewhere, and how far its reader had come.
///
/// @param path where the request had been sent
/// @param request its body, as it was
/// @param begun by index, the choices of which anything has been read
public record ContinueRequest(String path, ObjectNode request, Map<Integer, Begun> begun) {
  /// One that nothing has been read of.
  public static final Map<Integer, Begun> NOTHING = Map.of();

  private static final Set<String> SCHEMES = Set.of("http", "https");

  public ContinueRequest {
    begun = Map.copyOf(begun);
  }

  /// A choice of which something has been read.
  ///
  /// @param tokens what has been read, text held back between them included
  /// @param used tokens that it took altogether, when its end has been read
  /// @param kv where its keys and values are, when the runtime that wrote it keeps them
  @SuppressWarnings("ArrayRecordComponent")
  public record Begun(int[] tokens, OptionalInt used, Optional<KeptKv> kv) {}

  /// Keys and values that another runtime keeps.
  ///
  /// @param at the address to fetch them from
  /// @param tokens of the text, from its beginning, that they are of
  public record KeptKv(URI at, int tokens) {}

  public static ContinueRequest parse(ObjectNode body) {
    Parameters members = Parameters.of(body);
    String path = Parameters.text("path", members.required("path"));
    JsonNode request = members.required("request");
    if (!(request instanceof ObjectNode object)) {
      throw Parameters.wrongType("request", "an object", request);
    }
    JsonNode choices = members.required("choices");
    members.refuseOthers();
    if (!choices.isArray()) {
      throw Parameters.wrongType("choices", "an array", choices);
    }
    Parameters.boundCount("choices", choices, CompletionRequest.MAX_TOTAL_CHOICES);
    Map<Integer, Begun> begun = new HashMap<>();
    for (int i = 0; i < choices.size(); i++) {
      String at = "choices[%d]".formatted(i);
      Parameters choice = Parameters.of(at, choices.get(i));
      int index = choice.smallInteger("index", 0, Integer.MAX_VALUE).orElseThrow(() -> invalid(at));
      int[] tokens = tokens(choice.path("tokens"), choice.required("tokens"));
      OptionalInt used = choice.smallInteger("used", 0, Integer.MAX_VALUE);
      Optional<KeptKv> kv = choice.node("kv").map(node -> kept(choice.path("kv"), node));
      choice.refuseOthers();
      if (begun.put(index, new Begun(tokens, used, kv)) != null) {
        throw invalid(at);
      }
    }
    return new ContinueRequest(path, object, begun);
  }

  private static KeptKv kept(String path, JsonNode node) {
    Parameters members = Parameters.of(path, node);
    String at = Parameters.text(members.path("at"), members.required("at"));
    OptionalInt tokens = members.smallInteger("tokens", 0, Integer.MAX_VALUE);
    members.required("tokens");
    members.refuseOthers();
    try {
      URI uri = new URI(at);
      if (SCHEMES.contains(uri.getScheme())
          && uri.getHost() != null
          && uri.getPath().startsWith(ControlApi.KV)) {
        return new KeptKv(uri, tokens.orElseThrow());
      }
    } catch (URISyntaxException e) {
      // As what is no address of keys and values.
    }
    throw ApiError.invalid(
        members.path("at"), "invalid_value", "No keys and values are kept at such an address.");
  }

  private static int[] tokens(String path, JsonNode array) {
    if (!array.isArray()) {
      throw Parameters.wrongType(path, "an array of token ids", array);
    }
    return array.isEmpty() ? new int[0] : TextInput.tokens(path, array).tokens();
  }

  private static ApiException invalid(String at) {
    return ApiError.invalid(
        at, "invalid_value", "Invalid '%s': each choice has an index of its own.".formatted(at));
  }
}
