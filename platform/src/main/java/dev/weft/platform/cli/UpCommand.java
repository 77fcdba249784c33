package dev.weft.platform.cli;

import dev.weft.functions.Catalog;
import dev.weft.functions.Function;
import dev.weft.functions.Manifests;
import dev.weft.platform.config.HostGpus;
import dev.weft.platform.config.Role;
import dev.weft.platform.config.WeftHome;
import dev.weft.platform.management.ManagementApi;
import dev.weft.platform.management.ManagementApi.DeviceView;
import java.io.PrintWriter;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

@Command(
    name = "up",
    description =
        "Starts Weft on this machine, deploys the quickstart functions and waits until they answer.")
final class UpCommand implements Runnable {
  /// How long a GPU's runtime may take to start before it is said that it still does.
  private static final Duration GPU_START = Duration.ofMinutes(2);

  @ParentCommand private Main weft;

  @Spec private CommandSpec spec;

  @Option(
      names = {"-d", "--detach"},
      description = "Return once all answer; stop it with `weft down`.")
  private boolean detach;

  @Option(
      names = "--port",
      paramLabel = "PORT",
      defaultValue = "8080",
      description = "Where to listen; 0 takes a free port (default: ${DEFAULT-VALUE}).")
  private int port;

  @Option(
      names = "--no-quickstart",
      negatable = false,
      description = "Start with the functions that are deployed already, and no others.")
  private boolean noQuickstart;

  @Option(
      names = "--role",
      paramLabel = "ROLE",
      defaultValue = "all",
      description =
          "all; or controller and gateway as processes of their own, each with a home of its own.")
  private Role role;

  @Option(
      names = "--controller",
      paramLabel = "URL",
      description = "Of a gateway: where its controller listens.")
  private @Nullable URI controller;

  @Option(
      names = "--controller-key",
      paramLabel = "FILE",
      description = "Of a gateway: a file with an API key of the scope gateway.")
  private @Nullable Path controllerKey;

  @Override
  public void run() {
    WeftHome home = weft.home();
    PrintWriter out = spec.commandLine().getOut();
    Optional<Announcement> running = Announcement.platform(home);
    if (running.isPresent()) {
      out.printf("Weft is already up at %s (home %s).%n", running.get().url(), home.root());
      out.flush();
      return;
    }
    // Found while the platform starts.
    CompletableFuture<Optional<HostGpus>> gpus =
        role.controller()
            ? CompletableFuture.supplyAsync(LocalGpus::find)
            : CompletableFuture.completedFuture(Optional.empty());
    var local = new LocalPlatform(home);
    Announcement platform = local.start(port, settings());
    if (!detach) {
      stopWhenInterrupted(local, platform, out);
    }
    if (role.controller()) {
      local.awaitDevice(weft.api());
    }
    if (quickstart()) {
      deployQuickstart();
    }
    out.print(greeting(home, platform));
    out.flush();
    if (detach) {
      tellOfGpus(gpus, Duration.ZERO, out);
    } else {
      Thread.ofVirtual().start(() -> tellOfGpus(gpus, GPU_START, out));
      waitFor(platform);
    }
  }

  private void tellOfGpus(
      CompletableFuture<Optional<HostGpus>> gpus, Duration limit, PrintWriter out) {
    try {
      gpus.join().ifPresent(there -> LocalGpus.tell(there, this::devices, limit, out::print));
    } catch (CliException e) {
      // The platform has ended, which says so itself.
    }
    out.flush();
  }

  private List<DeviceView> devices() {
    return weft.api().get(ManagementApi.DEVICES, ManagementApi.DeviceList.class).devices();
  }

  /// A process that is all is what somebody tries first; the others are for who knows what to
  /// deploy.
  private boolean quickstart() {
    return !noQuickstart && role == Role.ALL;
  }

  private Map<String, String> settings() {
    Map<String, String> settings = new HashMap<>();
    settings.put("WEFT_ROLE", role.name().toLowerCase(Locale.ROOT));
    if (role != Role.GATEWAY) {
      return settings;
    }
    URI url = controller;
    Path key = controllerKey;
    if (url == null || key == null) {
      throw new CliException(
          "a gateway needs its controller and a key for it",
          "Run:  weft up --role gateway --controller http://HOST:PORT --controller-key FILE");
    }
    settings.put("WEFT_CONTROLLER_URL", url.toString());
    settings.put("WEFT_CONTROLLER_KEY_FILE", key.toAbsolutePath().toString());
    return settings;
  }

  /// Deploys what the catalog has and the installation has not, and waits until all answer.
  private void deployQuickstart() {
    ApiClient api = weft.api();
    Set<String> present =
        api.get(ManagementApi.FUNCTIONS, ManagementApi.FunctionList.class).functions().stream()
            .map(function -> function.name().value())
            .collect(Collectors.toSet());
    List<Function> quickstart = Catalog.functions();
    for (Function function : quickstart) {
      if (!present.contains(function.name().value())) {
        api.post(ManagementApi.FUNCTIONS, Manifests.toJson(function), ManagementApi.Deployed.class);
      }
    }
    new ReadyWait(api, System.err).untilAllAnswer(quickstart.stream().map(Function::name).toList());
  }

  private String greeting(WeftHome home, Announcement platform) {
    String url = platform.url();
    String key = "$(cat %s)".formatted(home.defaultKeyFile());
    if (role == Role.GATEWAY) {
      return "The gateway is up at %s, for the functions and keys of %s.%n"
          .formatted(url, controller);
    }
    String status =
        "Weft is up at %1$s (console: %1$s/console).  The API key is in %2$s.%n"
            .formatted(url, home.defaultKeyFile());
    if (!quickstart()) {
      return status;
    }
    return status
        + """

        Try it:
          curl %1$s/v1/chat/completions -H "Authorization: Bearer %2$s" -H 'Content-Type: application/json' -d '{"model":"smollm2","temperature":0,"messages":[{"role":"user","content":"Say hello."}]}'
          curl %1$s/v1/embeddings -H "Authorization: Bearer %2$s" -H 'Content-Type: application/json' -d '{"model":"minilm","input":"a text"}'
          OPENAI_BASE_URL=%1$s/v1 OPENAI_API_KEY=%2$s python3 -c 'from openai import OpenAI; print(OpenAI().chat.completions.create(model="smollm2", temperature=0, messages=[{"role":"user","content":"Say hello."}]).choices[0].message.content)'   # pip install openai

        %3$s
        """
            .formatted(
                url,
                key,
                detach ? "Stop it:  weft down" : "Ctrl-C stops it; weft up -d leaves it running.");
  }

  private void stopWhenInterrupted(LocalPlatform local, Announcement platform, PrintWriter out) {
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  if (platform.alive()) {
                    out.println("\nStopping: letting what runs finish ...");
                    out.flush();
                    if (role == Role.GATEWAY) {
                      local.stopGateway(platform);
                    } else {
                      local.stop(platform, weft.api());
                    }
                  }
                },
                "stop"));
  }

  /// Returns when the platform has ended by itself; Ctrl-C ends this process and, by the hook, the
  /// platform.
  private static void waitFor(Announcement platform) {
    ProcessHandle.of(platform.pid()).ifPresent(process -> process.onExit().join());
  }
}
