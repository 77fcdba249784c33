package dev.weft.functions;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.exc.ValueInstantiationException;
import dev.weft.functions.instance.AnInstance;
import dev.weft.functions.instance.ControlApi;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.Tier;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTest {
  private static final ObjectMapper MAPPER = Json.mapper();
  private static final Revision REVISION =
      new Revision(
          new RevisionId(new FunctionName("mine"), 7),
          FunctionSpec.of(new Model(null, List.of(ModelSource.of("file:/m.gguf")), null)),
          Instant.parse("2026-11-22T10:00:00Z"));

  record Sample(
      Optional<String> some, Optional<String> none, Instant at, Duration span, Tier tier) {}

  @Test
  void writesInstantsDurationsEnumsAndOptionalsAsTheWireHasThem() throws JsonProcessingException {
    Sample sample =
        new Sample(
            Optional.of("x"),
            Optional.empty(),
            Instant.parse("2026-11-22T10:00:00.250Z"),
            Duration.ofSeconds(90),
            Tier.HOST);

    String json = MAPPER.writeValueAsString(sample);

    assertThat(json)
        .isEqualTo(
            """
            {"some":"x","at":"2026-11-22T10:00:00.250Z","span":"90s","tier":"host"}\
            """);
    assertThat(MAPPER.readValue(json, Sample.class)).isEqualTo(sample);
  }

  @Test
  void readsDeviceStatusBack() throws JsonProcessingException {
    DeviceStatus status =
        new DeviceStatus(
            new DeviceId("cpu-0"),
            DeviceClass.CPU,
            "r1",
            12,
            DeviceStatus.Phase.READY,
            new DeviceStatus.Memory(100, 60, 50, new DeviceStatus.Chunks(2, 50, 12, 3)),
            Set.of(Quantization.NONE, Quantization.AUTO),
            Set.of(DeviceStatus.Capability.GROWS_KV),
            List.of(
                AnInstance.of(REVISION.id())
                    .tier(Tier.DISK)
                    .weightBytes(1)
                    .loadCount(3)
                    .progress(
                        new InstanceStatus.LoadProgress(
                            InstanceStatus.LoadProgress.Phase.FETCHING, "a file", 1, 2))
                    .status()));

    String json = MAPPER.writeValueAsString(status);

    assertThat(json)
        .contains("\"device\":\"cpu-0\"")
        .contains("\"revision\":\"mine-00007\"")
        .contains("\"phase\":\"fetching\"")
        .doesNotContain("null")
        .doesNotContain("failure");
    assertThat(MAPPER.readValue(json, DeviceStatus.class)).isEqualTo(status);
  }

  @Test
  void readsControlRequestsBack() throws JsonProcessingException {
    ControlApi.LoadRequest load = new ControlApi.LoadRequest(REVISION, true);
    assertThat(MAPPER.readValue(MAPPER.writeValueAsString(load), ControlApi.LoadRequest.class))
        .isEqualTo(load);
    ControlApi.Rejection rejection =
        new ControlApi.Rejection(ControlApi.Rejection.Code.NO_MEMORY_NOW, "full");
    String json = MAPPER.writeValueAsString(rejection);
    assertThat(json)
        .isEqualTo(
            """
            {"code":"no_memory_now","message":"full"}\
            """);
    assertThat(MAPPER.readValue(json, ControlApi.Rejection.class)).isEqualTo(rejection);
  }

  @Test
  void ignoresMembersOfANewerVersion() throws JsonProcessingException {
    assertThat(
            MAPPER.readValue(
                """
                {"code":"busy","message":"m","since":3}\
                """,
                ControlApi.Rejection.class))
        .isEqualTo(new ControlApi.Rejection(ControlApi.Rejection.Code.BUSY, "m"));
  }

  @Test
  void ordersMapsByKey() throws JsonProcessingException {
    assertThat(MAPPER.writeValueAsString(Map.of("b", 1, "a", 2, "c", 3)))
        .isEqualTo(
            """
            {"a":2,"b":1,"c":3}\
            """);
  }

  @Test
  void refusesTextThatIsNoRevision() {
    assertThatExceptionOfType(ValueInstantiationException.class)
        .isThrownBy(() -> MAPPER.readValue("\"mine\"", RevisionId.class));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "mine",
        "mine-1",
        "-00001",
        "mine-00000",
        "mine-99999999999",
        "Mi-00001",
        "mine.a-00001"
      })
  void refusesRevisionsThatAreNotWrittenLikeOne(String text) {
    assertThatIllegalArgumentException().isThrownBy(() -> RevisionId.parse(text));
  }

  @Test
  void readsRevisionsOfFunctionsWithDashes() {
    RevisionId id = new RevisionId(new FunctionName("a-00001-b"), 1_234_567);
    assertThat(RevisionId.parse(id.toString())).isEqualTo(id);
  }
}
