package dev.weft.platform.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.List;
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
      strings = {"list", "env", "describe x", "chat x hi", "keys list", "rollback x", "delete x"})
  void aCommandSaysWhatToDoWhenWeftIsNotUp(String command) {
    int exit = execute((command + " --home " + home).split(" "));
    assertThat(exit).isEqualTo(1);
    assertThat(err.toString()).contains("not up").contains("weft up");
  }

  @Test
  void everyCommandHasHelp() {
    for (String command : List.of("deploy", "list", "chat", "keys", "keys create")) {
      assertThat(execute((command + " --help").split(" "))).as(command).isZero();
    }
    assertThat(execute("help", "deploy")).isZero();
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
  })
  void aNameIsMadeOfTheModels(String source, String name) {
    assertThat(DeployCommand.nameOf(source)).isEqualTo(name);
  }

  @Test
  void tablesAlignTheirColumns() {
    assertThat(Terminal.table(List.of(List.of("A", "LONG"), List.of("wide", "x"))))
        .isEqualTo("A      LONG\nwide   x\n");
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
