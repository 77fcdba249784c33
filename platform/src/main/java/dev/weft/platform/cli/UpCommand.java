package dev.weft.platform.cli;

import dev.weft.functions.Catalog;
import dev.weft.functions.Function;
import dev.weft.functions.Manifests;
import dev.weft.platform.config.WeftHome;
import dev.weft.platform.management.ManagementApi;
import java.io.PrintWriter;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
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
    var local = new LocalPlatform(home);
    Announcement platform = local.start(port);
    if (!detach) {
      stopWhenInterrupted(local, platform, weft.api(), out);
    }
    local.awaitDevice(weft.api());
    if (!noQuickstart) {
      deployQuickstart();
    }
    out.print(greeting(home, platform));
    out.flush();
    if (!detach) {
      waitFor(platform);
    }
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
    String status =
        "Weft is up at %1$s (console: %1$s/console).  The API key is in %2$s.%n"
            .formatted(url, home.defaultKeyFile());
    if (noQuickstart) {
      return status;
    }
    return status
        + """

        Try it:
          curl %1$s/v1/chat/completions -H "Authorization: Bearer %2$s" -H 'Content-Type: application/json' -d '{"model":"smollm2","messages":[{"role":"user","content":"Say hello."}]}'
          curl %1$s/v1/embeddings -H "Authorization: Bearer %2$s" -H 'Content-Type: application/json' -d '{"model":"minilm","input":"a text"}'
          OPENAI_BASE_URL=%1$s/v1 OPENAI_API_KEY=%2$s python3 -c 'from openai import OpenAI; print(OpenAI().chat.completions.create(model="smollm2", messages=[{"role":"user","content":"Say hello."}]).choices[0].message.content)'   # pip install openai

        %3$s
        """
            .formatted(
                url,
                key,
                detach ? "Stop it:  weft down" : "Ctrl-C stops it; weft up -d leaves it running.");
  }

  private static void stopWhenInterrupted(
      LocalPlatform local, Announcement platform, ApiClient api, PrintWriter out) {
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  if (platform.alive()) {
                    out.println("\nStopping: letting what runs finish ...");
                    out.flush();
                    local.stop(platform, api);
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
