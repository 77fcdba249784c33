package dev.weft.functions;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.cfg.MapperConfig;
import com.fasterxml.jackson.databind.deser.std.StdScalarDeserializer;
import com.fasterxml.jackson.databind.introspect.AnnotatedClass;
import com.fasterxml.jackson.databind.introspect.NopAnnotationIntrospector;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.ser.std.StdScalarSerializer;
import com.fasterxml.jackson.databind.ser.std.StdSerializer;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import java.io.IOException;
import java.time.Duration;
import java.util.Locale;

/// The one way in which Weft writes its records as JSON, on every wire and in every file: instants
/// as ISO-8601 text, durations in the short form of [DurationText], enum values in lower case,
/// absent values left out. Readers ignore members that they do not know, so that two versions can
/// talk; [Manifests] alone is strict.
public final class Json {
  private Json() {}

  /// A new mapper, configured. Mappers are costly to make and safe to share: keep it.
  public static ObjectMapper mapper() {
    return configure(new ObjectMapper());
  }

  /// Configures a mapper that somebody else made, and returns it.
  public static ObjectMapper configure(ObjectMapper mapper) {
    mapper.registerModules(new Jdk8Module(), new JavaTimeModule(), new WeftModule());
    mapper.disable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS);
    mapper.enable(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS);
    mapper.disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);
    mapper.setDefaultPropertyInclusion(JsonInclude.Include.NON_ABSENT);
    return mapper;
  }

  private static final class WeftModule extends SimpleModule {
    private static final long serialVersionUID = 1L;

    WeftModule() {
      super("weft");
      addSerializer(new DurationWriter());
      addDeserializer(Duration.class, new DurationReader());
      addSerializer(new ModelSourceWriter());
    }

    @Override
    public void setupModule(SetupContext context) {
      super.setupModule(context);
      context.insertAnnotationIntrospector(new LowerCaseEnums());
    }
  }

  /// Names enum constants in lower case where no annotation names them.
  private static final class LowerCaseEnums extends NopAnnotationIntrospector {
    private static final long serialVersionUID = 1L;

    @Override
    public String[] findEnumValues(
        MapperConfig<?> config, AnnotatedClass type, Enum<?>[] constants, String[] names) {
      for (int i = 0; i < constants.length; i++) {
        if (names[i] == null) {
          names[i] = constants[i].name().toLowerCase(Locale.ROOT);
        }
      }
      return names;
    }
  }

  private static final class DurationWriter extends StdScalarSerializer<Duration> {
    private static final long serialVersionUID = 1L;

    DurationWriter() {
      super(Duration.class);
    }

    @Override
    public void serialize(Duration value, JsonGenerator generator, SerializerProvider provider)
        throws IOException {
      generator.writeString(DurationText.format(value));
    }
  }

  private static final class DurationReader extends StdScalarDeserializer<Duration> {
    private static final long serialVersionUID = 1L;

    DurationReader() {
      super(Duration.class);
    }

    @Override
    public Duration deserialize(JsonParser parser, DeserializationContext context)
        throws IOException {
      String text = parser.getText();
      try {
        return DurationText.parse(text);
      } catch (IllegalArgumentException e) {
        throw context.weirdStringException(text, Duration.class, e.getMessage());
      }
    }
  }

  /// Writes the address alone where there is nothing to say beside it.
  private static final class ModelSourceWriter extends StdSerializer<ModelSource> {
    private static final long serialVersionUID = 1L;

    ModelSourceWriter() {
      super(ModelSource.class);
    }

    @Override
    public void serialize(ModelSource source, JsonGenerator generator, SerializerProvider provider)
        throws IOException {
      String sha256 = source.sha256();
      if (sha256 == null) {
        generator.writeString(source.uri());
        return;
      }
      generator.writeStartObject();
      generator.writeStringField("uri", source.uri());
      generator.writeStringField("sha256", sha256);
      generator.writeEndObject();
    }
  }
}
