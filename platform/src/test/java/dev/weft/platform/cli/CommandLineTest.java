package dev.weft.platform.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.DeviceClass;
import dev.weft.functions.FunctionName;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.AnInstance;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.platform.config.HostGpus;
import dev.weft.platform.control.Fleet;
import dev.weft.platform.management.ManagementApi;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

final class CommandLineTest {
  @TempDir private Path home;

  private final StringWriter err = new StringWriter();

  private int execute(String... arguments) {
    CommandLine line = Main.commandLine();
    line.setErr(new PrintWriter(err));
    line.setOut(new PrintWriter(new StringWriter()));
    return line.execute(arguments);
  }

  @Test
  void everyCommandTellsWhatItDoes() {
    Main.commandLine()
        .getSubcommands()
        .forEach((name, command) ->
            assertThat(command.getCommandSpec().usageMessage().description())
                .as(name)
                .isNotEmpty());
  }

  @Test
  void homeCanBeGivenWithEveryCommand() {
    Main.commandLine()
        .getSubcommands()
        .forEach((name, command) ->
            assertThat(command.getCommandSpec().findOption("--home")).as(name).isNotNull());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "list",
        "top",
        "env",
        "describe x",
        "chat x hi",
        "keys list",
        "rollback x",
        "delete x"
      })
  void aCommandSaysWhatToDoWhenWeftIsNotUp(String command) {
    int exit = execute((command + " --home " + home).split(" "));
    assertThat(exit).isEqualTo(1);
    assertThat(err.toString()).contains("not up").contains("weft up");
  }

  @Test
  void simulateComparesTwoConfigurationsAsJson() throws Exception {
    Path trace =
        Files.writeString(
            home.resolve("trace.csv"),
            """
            TIMESTAMP,ContextTokens,GeneratedTokens
            2023-11-16 18:15:46.5000000,374,44
            2023-11-16 18:15:47.5000000,396,109
            """);
    var out = new StringWriter();
    CommandLine line = Main.commandLine();
    line.setOut(new PrintWriter(out));
    String[] arguments = {
      "simulate",
      "--trace",
      trace.toString(),
      "--devices",
      "gpu=1",
      "-o",
      "json",
      "--what-if",
      "devices=cpu=1"
    };
    assertThat(line.execute(arguments)).isZero();
    assertThat(ApiClient.JSON.readTree(out.toString()))
        .hasSize(2)
        .allSatisfy(run -> {
          assertThat(run.path("requests").asInt()).isEqualTo(2);
          assertThat(run.path("sloMet").asInt()).isEqualTo(2);
          assertThat(run.path("overCommits").asInt()).isZero();
          assertThat(run.has("worstFunctionShare")).isTrue();
          assertThat(run.has("devicesUsedMean")).isTrue();
        });
  }

  @Test
  void simulateSaysWhatIsWrong() {
    assertThat(execute("simulate", "--trace", home.resolve("none").toString())).isEqualTo(1);
    assertThat(err.toString()).contains("there is no file").contains("weft simulate --help");
    assertThat(execute("simulate")).isEqualTo(1);
    assertThat(err.toString()).contains("either --trace FILE or --synthetic");
  }

  @Test
  void simulateMakesRequestsUp() throws Exception {
    var out = new StringWriter();
    CommandLine line = Main.commandLine();
    line.setOut(new PrintWriter(out));
    int exit =
        line.execute(
            "simulate -o json --devices gpu=1 --synthetic requests=20,functions=2,seconds=60"
                .split(" "));
    assertThat(exit).isZero();
    assertThat(ApiClient.JSON.readTree(out.toString()).path("requests").asInt()).isEqualTo(20);
  }

  @Test
  void everyCommandHasHelp() {
    for (String command : List.of("deploy", "list", "top", "chat", "keys", "keys create")) {
      assertThat(execute((command + " --help").split(" "))).as(command).isZero();
    }
    assertThat(execute("help", "deploy")).isZero();
  }

  @Test
  void aNameBesideAManifestIsRefused() throws Exception {
    Path manifest = Files.writeString(home.resolve("f.yaml"), "kind: Function\n");
    Files.createDirectories(home.resolve("keys"));
    assertThat(
            execute("--home", home.toString(), "deploy", manifest.toString(), "--name", "another"))
        .isEqualTo(1);
    assertThat(err.toString()).contains("--name does not go with a manifest");
  }

  @Test
  void anUnknownCommandIsAUsageError() {
    assertThat(execute("lst")).isEqualTo(2);
    assertThat(err.toString()).contains("lst");
  }

  @ParameterizedTest
  @CsvSource({
    "hf://org/My.Model@main, my-model",
    "./dir/SmolLM2-135M.Q4_1.gguf, smollm2-135m-q4-1",
    "/models/llama/, llama",
    "https://example.com/a/b.gguf?x=1, b",
    "oci://registry:5000/team/support-7b:v1, support-7b",
    "oci://registry/team/support-7b@sha256:0, support-7b",
    "s3://models/support-7b/, support-7b",
  })
  void aNameIsMadeOfTheModels(String source, String name) {
    assertThat(DeployCommand.nameOf(source)).isEqualTo(name);
  }

  @Test
  void tablesAlignTheirColumns() {
    assertThat(Terminal.table(List.of(List.of("A", "LONG"), List.of("wide", "x"))))
        .isEqualTo("A      LONG\nwide   x\n");
  }

  @Test
  void topShowsWhoHoldsADevicesMemory() {
    long mebibyte = 1L << 20;
    var blocks = new InstanceStatus.Blocks(40, 33, 900, 13, 6);
    var instance =
        AnInstance.of(new RevisionId(new FunctionName("chat"), 2))
            .requests(3, 1)
            .weightBytes(100 * mebibyte)
            .blocks(blocks)
            .loadCount(1)
            .workers(2)
            .headroomMillis(-340)
            .status();
    var idle = AnInstance.of(new RevisionId(new FunctionName("idle"), 1)).status();
    var cpu = new DeviceId("cpu-0");
    var status =
        new DeviceStatus(
            cpu,
            DeviceClass.CPU,
            "run",
            1,
            DeviceStatus.Phase.READY,
            new DeviceStatus.Memory(
                1024 * mebibyte,
                112 * mebibyte,
                114 * mebibyte,
                new DeviceStatus.Chunks(2 * mebibyte, 512, 10, 3),
                4_375L),
            Set.of(),
            Set.of(DeviceStatus.Capability.GROWS_KV),
            List.of(instance, idle));
    var away = new ManagementApi.DeviceView(new DeviceId("cpu-1"), null, "it is starting");

    assertThat(
            TopCommand.text(
                new ManagementApi.DeviceList(
                    List.of(new ManagementApi.DeviceView(cpu, status, null), away))))
        .isEqualTo(
            """
            DEVICE   CLASS   STATE                  MEMORY    PLANNED     ACTUAL      KV         LASTS   ACTIVATIONS   CHUNKS
            cpu-0    cpu     ready                  1.0 GiB   112.0 MiB   114.0 MiB   14.0 MiB   4.4 s   6.0 MiB       10/512
            cpu-1    -       away: it is starting   -         -           -           -          -       -             -

            INSTANCE     DEVICE   TIER    RUNNING   WAITING   HEADROOM   WEIGHTS     KV         CHUNKS   BLOCKS   WORKERS
            chat-00002   cpu-0    ready   3         1         -0.3 s     100.0 MiB   12.0 MiB   6        33/900   2
            idle-00001   cpu-0    ready   0         0         -          0 B         0 B        0        0/0      -
            """);
  }

  @Test
  void upSaysWhatBecameOfEachGpu() {
    var gpus =
        IntStream.range(0, 3)
            .mapToObj(index -> new HostGpus.Gpu(index, "NVIDIA H200", "sm_90", 140L << 30))
            .toList();
    var ready = new ManagementApi.DeviceView(new DeviceId("gpu-0"), idle("gpu-0"), null);
    var starts = new ManagementApi.DeviceView(new DeviceId("gpu-1"), null, Fleet.STARTING);
    var failed = new ManagementApi.DeviceView(new DeviceId("gpu-1"), null, "its driver is old");
    List<String> said = new ArrayList<>();
    var looks = new AtomicInteger();

    LocalGpus.tell(
        new HostGpus.Found(gpus),
        () -> List.of(ready, looks.getAndIncrement() < 3 ? starts : failed),
        Duration.ofMinutes(1),
        said::add);
    assertThat(said)
        .containsExactly(
            "gpu-0: NVIDIA H200 (sm_90, 140.0 GiB), its runtime is ready\n",
            "gpu-2: NVIDIA H200 (sm_90, 140.0 GiB), no runtime is started for it (weft.devices)\n",
            "gpu-1: NVIDIA H200 (sm_90, 140.0 GiB), its runtime is away: its driver is old\n");
    assertThat(looks).hasValue(4);

    said.clear();
    LocalGpus.tell(
        new HostGpus.Found(List.of(gpus.get(1))), () -> List.of(starts), Duration.ZERO, said::add);
    LocalGpus.tell(new HostGpus.None("install a driver"), List::of, Duration.ZERO, said::add);
    assertThat(said)
        .containsExactly(
            "gpu-1: NVIDIA H200 (sm_90, 140.0 GiB), its runtime is away: the runtime is starting\n",
            "No GPU is used: install a driver\n");
  }

  private static DeviceStatus idle(String device) {
    var memory = new DeviceStatus.Memory(1, 0, 0, new DeviceStatus.Chunks(1, 0, 0, 0));
    return new DeviceStatus(
        new DeviceId(device),
        DeviceClass.GPU,
        "run",
        1,
        DeviceStatus.Phase.READY,
        memory,
        Set.of(),
        Set.of(),
        List.of());
  }

  @Test
  void explainShowsTheFiguresThatDecisionsWereMadeOn() {
    var late =
        new ManagementApi.DecisionView(
            Instant.EPOCH,
            new FunctionName("chat"),
            "r1",
            "refused",
            new DeviceId("cpu-0"),
            "a first token would be late",
            "not_in_time_prompts",
            Map.of("waiting", 3.0, "lateSeconds", 1.25));

    assertThat(ExplainCommand.text(new ManagementApi.DecisionList(List.of(late))))
        .isEqualTo(
            """
            AT                     DECISION   DEVICE   REQUEST   REASON                        VALUES
            1970-01-01T00:00:00Z   refused    cpu-0    r1        a first token would be late   lateSeconds=1.250 waiting=3
            """);
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0 B",
    "1023, 1023 B",
    "1536, 1.5 KiB",
    "98362432, 93.8 MiB",
    "5368709120, 5.0 GiB"
  })
  void bytesAreReadable(long bytes, String text) {
    assertThat(Terminal.bytes(bytes)).isEqualTo(text);
  }

  @ParameterizedTest
  @CsvSource({"0, 0s", "59, 59s", "190, 3m10s", "7500, 2h05m", "400000, 4d"})
  void secondsAreReadable(long seconds, String text) {
    assertThat(Terminal.seconds(seconds)).isEqualTo(text);
  }
}
