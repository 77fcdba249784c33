package dev.weft.bench.load;

import dev.weft.functions.FunctionName;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.ControlApi;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/// The platform as it is installed, in a process of its own, with the stub of its tests as the
/// runtime in another: an engine that costs next to nothing, so that what is left is the gateway.
public final class StubbedPlatform extends PlatformServer {
  private static final String STUB = "dev.weft.platform.stub.StubRuntime";
  private static final String FUNCTION = "bench";
  private static final String MANIFEST =
      """
      {"apiVersion": "weft.dev/v1alpha1", "kind": "Function", "metadata": {"name": "%s"},
       "spec": {"model": {"sources": ["file:///stub/model"]}}}
      """
          .formatted(FUNCTION);

  private StubbedPlatform(List<String> command, Path home, Path log) throws IOException {
    super(command, home, log);
  }

  /// @param build the directory that the platform's build writes to
  /// @param home an empty directory for the platform's state
  public static StubbedPlatform start(Path build, Path home, Path log) throws IOException {
    List<String> command =
        command(
            build,
            home,
            Map.of(
                "weft.runtime.heap",
                "256m",
                "weft.runtime.main-class",
                STUB,
                "weft.runtime.classpath",
                testClassPath(build)));
    return new StubbedPlatform(command, home, log);
  }

  /// The platform's classes, those of its tests, and what they need.
  public static String testClassPath(Path build) throws IOException {
    return String.join(
        File.pathSeparator,
        build.resolve("test-classes").toString(),
        build.resolve("classes").toString(),
        Files.readString(build.resolve("classpath.txt")).strip());
  }

  @Override
  public Target target() throws IOException, InterruptedException {
    awaitDevices(1);
    post("/api/v1/functions", MANIFEST);
    String path = "/api/v1/functions/" + FUNCTION;
    post(path + "/prewarm", "{}");
    await(() -> get(path).at("/status/tier").asText().equals("ready"));
    return new Target(base(), FUNCTION, key(), Map.of());
  }

  /// The stub, as the gateway sees it.
  public Endpoint stub() throws IOException {
    return new Endpoint(
        runtimePort("cpu-0"),
        Map.of(
            "Authorization",
            "Bearer " + runtimeSecret("cpu-0"),
            ControlApi.FUNCTION_HEADER,
            FUNCTION,
            ControlApi.REVISION_HEADER,
            new RevisionId(new FunctionName(FUNCTION), 1).toString(),
            ControlApi.RESPONSE_ID_HEADER,
            "chatcmpl-0123456789abcdef0123456789abcdef",
            ControlApi.CREATED_HEADER,
            "1700000000",
            ControlApi.SEED_HEADER,
            "1"));
  }

  /// A chat with one message, to which the stub does as that says.
  public static String chat(String message, boolean stream) {
    return "{\"model\":\"%s\",\"stream\":%s,\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}"
        .formatted(FUNCTION, stream, message);
  }
}
