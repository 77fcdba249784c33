package dev.weft.functions;

import com.fasterxml.jackson.core.JsonParseException;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.util.JsonParserDelegate;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.cfg.CoercionAction;
import com.fasterxml.jackson.databind.cfg.CoercionInputShape;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.type.LogicalType;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLGenerator;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLParser;
import com.fasterxml.jackson.dataformat.yaml.util.StringQuotingChecker;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/// Reads and writes manifests, as YAML or JSON. Reading is strict: a member that is not known, a
/// value of the wrong type, a name given twice or a YAML alias is refused with
/// [InvalidManifestException], which names the place.
public final class Manifests {
  /// The longest text that is read, in characters.
  public static final int MAX_LENGTH = 1 << 20;

  private static final ObjectMapper JSON =
      strict(JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build());
  private static final ObjectMapper YAML =
      strict(
          YAMLMapper.builder(
                  YAMLFactory.builder()
                      .enable(YAMLParser.Feature.EMPTY_STRING_AS_NULL)
                      .disable(YAMLGenerator.Feature.WRITE_DOC_START_MARKER)
                      .disable(YAMLGenerator.Feature.SPLIT_LINES)
                      .enable(YAMLGenerator.Feature.MINIMIZE_QUOTES)
                      .stringQuotingChecker(new QuoteNumbers())
                      .enable(YAMLGenerator.Feature.INDENT_ARRAYS_WITH_INDICATOR)
                      .build())
              .build());

  private Manifests() {}

  /// Reads every function of a text: one JSON object, or YAML documents divided by `---`. There is
  /// at least one.
  public static List<Function> parse(String text) {
    if (text.length() > MAX_LENGTH) {
      throw new InvalidManifestException(
          "", "%,d characters; at most %,d are read".formatted(text.length(), MAX_LENGTH));
    }
    ObjectMapper mapper = text.stripLeading().startsWith("{") ? JSON : YAML;
    List<Function> functions = new ArrayList<>();
    for (JsonNode document : documents(mapper, text)) {
      functions.add(read(mapper, document));
    }
    if (functions.isEmpty()) {
      throw new InvalidManifestException("", "there is no function in it");
    }
    return List.copyOf(functions);
  }

  /// Reads a text that holds one function.
  public static Function parseOne(String text) {
    List<Function> functions = parse(text);
    if (functions.size() > 1) {
      throw new InvalidManifestException(
          "", "%d functions where one is expected".formatted(functions.size()));
    }
    return functions.getFirst();
  }

  /// The manifest as YAML, with every default written out.
  public static String toYaml(Function function) {
    return write(YAML, function);
  }

  /// Several manifests as one YAML text.
  public static String toYaml(List<Function> functions) {
    return functions.stream().map(Manifests::toYaml).collect(Collectors.joining("---\n"));
  }

  /// The manifest as indented JSON, with every default written out.
  public static String toJson(Function function) {
    return write(JSON, function);
  }

  /// The JSON Schema (draft 2020-12) of a manifest, for editors and for tools that check manifests
  /// without Weft.
  public static String jsonSchema() {
    return Resources.text("/schema/function.schema.json");
  }

  private static List<JsonNode> documents(ObjectMapper mapper, String text) {
    List<JsonNode> documents = new ArrayList<>();
    try (JsonParser parser = open(mapper, text)) {
      while (parser.nextToken() != null) {
        JsonNode document = mapper.readTree(parser);
        if (!document.isNull()) {
          documents.add(document);
        }
      }
    } catch (JsonProcessingException e) {
      throw ManifestErrors.explain(e);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return documents;
  }

  private static JsonParser open(ObjectMapper mapper, String text) throws IOException {
    JsonParser parser = mapper.createParser(text);
    return parser instanceof YAMLParser yaml ? new WithoutAliases(yaml) : parser;
  }

  private static Function read(ObjectMapper mapper, JsonNode document) {
    if (!document.isObject()) {
      throw new InvalidManifestException("", "this is not an object with apiVersion and kind");
    }
    KnownMembers.check(document, Function.class, "");
    try {
      return mapper.treeToValue(document, Function.class);
    } catch (JsonProcessingException e) {
      throw ManifestErrors.explain(e);
    }
  }

  private static String write(ObjectMapper mapper, Function function) {
    try {
      return mapper.writeValueAsString(function);
    } catch (JsonProcessingException e) {
      throw new AssertionError("a function can be written", e);
    }
  }

  private static ObjectMapper strict(ObjectMapper mapper) {
    Json.configure(mapper);
    mapper.enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);
    mapper.enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION);
    mapper.disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT);
    mapper
        .coercionConfigFor(LogicalType.Integer)
        .setCoercion(CoercionInputShape.String, CoercionAction.Fail);
    mapper
        .coercionConfigFor(LogicalType.Textual)
        .setCoercion(CoercionInputShape.Integer, CoercionAction.Fail)
        .setCoercion(CoercionInputShape.Float, CoercionAction.Fail)
        .setCoercion(CoercionInputShape.Boolean, CoercionAction.Fail);
    mapper
        .coercionConfigFor(LogicalType.Enum)
        .setCoercion(CoercionInputShape.Integer, CoercionAction.Fail)
        .setCoercion(CoercionInputShape.EmptyString, CoercionAction.Fail);
    return mapper;
  }

  /// Quotes, beside what needs it anyway, text that a YAML reader could take for a number or a
  /// date: the library's own check does not know `0x1f` and `1e3`.
  private static final class QuoteNumbers extends StringQuotingChecker.Default {
    private static final long serialVersionUID = 1L;
    private static final Pattern NUMBER = Pattern.compile("[-+.]?[0-9][-+.:_0-9a-fA-FoOxX]*");

    @Override
    public boolean needToQuoteValue(String value) {
      return super.needToQuoteValue(value) || NUMBER.matcher(value).matches();
    }
  }

  /// The YAML reader would take an alias (`*name`) for the text `name`; here it is refused.
  private static final class WithoutAliases extends JsonParserDelegate {
    private final YAMLParser yaml;

    WithoutAliases(YAMLParser yaml) {
      super(yaml);
      this.yaml = yaml;
    }

    @Override
    public JsonToken nextToken() throws IOException {
      JsonToken token = super.nextToken();
      if (token != null && yaml.isCurrentAlias()) {
        throw new JsonParseException(
            yaml, "aliases (*%s) are not read in manifests".formatted(yaml.getText()));
      }
      return token;
    }
  }
}
