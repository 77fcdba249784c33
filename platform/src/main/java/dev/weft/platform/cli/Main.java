package dev.weft.platform.cli;

import dev.weft.platform.config.WeftHome;
import java.io.PrintWriter;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.AutoComplete.GenerateCompletion;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/// The `weft` command.
@Command(
    name = "weft",
    description = "Runs private models as functions: declare one, call it over HTTP.",
    mixinStandardHelpOptions = true,
    scope = ScopeType.INHERIT,
    versionProvider = VersionCommand.Provider.class,
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {
      UpCommand.class,
      DownCommand.class,
      EnvCommand.class,
      DeployCommand.class,
      ListCommand.class,
      TopCommand.class,
      DescribeCommand.class,
      ExplainCommand.class,
      InvokeCommand.class,
      ChatCommand.class,
      LogsCommand.class,
      RollbackCommand.class,
      DeleteCommand.class,
      DrainCommand.class,
      KeysCommand.class,
      DoctorCommand.class,
      SimulateCommand.class,
      VersionCommand.class,
      CommandLine.HelpCommand.class
    })
public final class Main implements Runnable {
  private static final int FAILED = 1;

  @Option(
      names = "--home",
      scope = ScopeType.INHERIT,
      paramLabel = "DIR",
      description = "The installation's files (default: $WEFT_HOME, else ~/.weft).")
  private @Nullable String home;

  @Spec private CommandSpec spec;

  private Main() {}

  public static void main(String[] arguments) {
    System.exit(commandLine().execute(arguments));
  }

  static CommandLine commandLine() {
    var line = new CommandLine(new Main());
    var completion = new CommandLine(new GenerateCompletion());
    completion
        .getCommandSpec()
        .usageMessage()
        .description("Prints completion for bash and zsh:  source <(weft completion)");
    line.addSubcommand("completion", completion);
    line.setUsageHelpAutoWidth(true);
    line.setCaseInsensitiveEnumValuesAllowed(true);
    line.setExecutionExceptionHandler(Main::explain);
    return line;
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "Which command?");
  }

  WeftHome home() {
    return WeftHome.locate(home);
  }

  /// The API of `WEFT_URL` with `WEFT_API_KEY`, else of the local installation with its default
  /// key.
  ApiClient api() {
    Optional<String> url = environment("WEFT_URL");
    Optional<String> key = environment("WEFT_API_KEY");
    if (url.isPresent() && key.isEmpty()) {
      throw new CliException(
          "WEFT_URL is set and WEFT_API_KEY is not",
          "Set WEFT_API_KEY to a key of that installation; the local key is not sent elsewhere.");
    }
    return new ApiClient(url.orElseGet(this::localUrl), key.orElseGet(this::localKey));
  }

  private String localUrl() {
    return Announcement.platform(home())
        .map(Announcement::url)
        .orElseThrow(() ->
            new CliException("Weft is not up (home " + home().root() + ")", "Start it:  weft up"));
  }

  private String localKey() {
    return WeftHome.read(home().defaultKeyFile())
        .map(String::strip)
        .orElseThrow(() ->
            new CliException(
                "no API key: there is no " + home().defaultKeyFile(),
                "Set WEFT_API_KEY, or run as the user who ran `weft up`."));
  }

  private static Optional<String> environment(String name) {
    return Optional.ofNullable(System.getenv(name)).filter(value -> !value.isBlank());
  }

  private static int explain(Exception exception, CommandLine line, CommandLine.ParseResult parsed)
      throws Exception {
    if (!(exception instanceof CliException expected)) {
      throw exception;
    }
    PrintWriter err = line.getErr();
    err.println("weft: " + expected.getMessage());
    err.println("      " + expected.next());
    return FAILED;
  }
}
