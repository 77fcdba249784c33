package dev.weft.platform.telemetry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.functions.FunctionName;
import io.opentelemetry.sdk.autoconfigure.spi.ConfigurationException;
import io.vertx.core.MultiMap;
import java.net.URI;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/// When traces are made, and that nothing is where they are not.
class TracesTest {
  private static final Optional<URI> ENDPOINT = Optional.of(URI.create("http://127.0.0.1:1"));

  private static Traces traces(Optional<URI> endpoint, Map<String, String> environment) {
    return new Traces(endpoint, environment::get);
  }

  @Test
  void nothingIsMadeUnlessSomebodyCollects() {
    Traces off = traces(Optional.empty(), Map.of());
    MultiMap headers = MultiMap.caseInsensitiveMultiMap();
    assertThat(off.on()).isFalse();
    RequestTrace trace = off.begin(headers, "chat", new FunctionName("f"));
    assertThat(trace).isSameAs(RequestTrace.OFF);
    trace.tell(headers);
    assertThat(headers).isEmpty();
    off.close();
  }

  @Test
  void eitherSettingSwitchesThemOnAndTheUsualOnesOff() {
    assertOn(true, traces(ENDPOINT, Map.of()));
    assertOn(
        true, traces(Optional.empty(), Map.of("OTEL_EXPORTER_OTLP_ENDPOINT", "http://[::1]:1")));
    assertOn(false, traces(ENDPOINT, Map.of("OTEL_SDK_DISABLED", "true")));
    assertOn(false, traces(ENDPOINT, Map.of("OTEL_TRACES_EXPORTER", "none")));
  }

  private static void assertOn(boolean on, Traces traces) {
    assertThat(traces.on()).isEqualTo(on);
    traces.close();
  }

  @Test
  void runtimesAreToldTheTraceAndAskedForTheirTimes() {
    Traces traces = traces(ENDPOINT, Map.of());
    MultiMap headers = MultiMap.caseInsensitiveMultiMap();
    traces.begin(headers, "chat", new FunctionName("f")).tell(headers);
    assertThat(headers.get("traceparent")).matches("00-[0-9a-f]{32}-[0-9a-f]{16}-01");
    assertThat(headers.get("weft-times")).isEqualTo("1");
    traces.close();
  }

  @Test
  void anAddressThatIsNoneIsRefusedAtTheStart() {
    assertThatThrownBy(() -> traces(Optional.of(URI.create("collector:4318")), Map.of()))
        .isInstanceOf(ConfigurationException.class)
        .hasMessageContaining("collector:4318");
  }
}
