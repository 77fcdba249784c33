package dev.weft.platform.cli;

import dev.weft.functions.FunctionName;
import dev.weft.platform.keys.ApiKey;
import dev.weft.platform.keys.Scope;
import dev.weft.platform.management.ManagementApi;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

@Command(name = "keys", description = "Makes, lists and revokes API keys.")
final class KeysCommand {
  @ParentCommand private Main weft;

  @Spec private CommandSpec spec;

  @Command(name = "create", description = "Makes a key. Its secret is shown this once.")
  void create(
      @Parameters(paramLabel = "NAME", description = "What the key is for.") String name,
      @Option(
              names = "--scope",
              split = ",",
              paramLabel = "SCOPE",
              description = "${COMPLETION-CANDIDATES}; several with commas (default: invoke).")
          EnumSet<Scope> scopes,
      @Option(
              names = "--function",
              paramLabel = "NAME",
              description = "A function that the key may invoke; repeat it (default: all).")
          List<String> functions,
      @Mixin OutputFormat output) {
    Set<FunctionName> allowed =
        functions == null
            ? null
            : functions.stream().map(FunctionName::new).collect(Collectors.toSet());
    var created =
        weft.api()
            .post(
                ManagementApi.KEYS,
                new ManagementApi.KeyRequest(name, scopes, allowed),
                ManagementApi.CreatedKey.class);
    PrintWriter out = spec.commandLine().getOut();
    if (output.json()) {
      out.println(Terminal.json(created));
    } else {
      out.println(created.secret());
      out.printf(
          "Key %s (%s). Keep the line above: it is not shown again.%n", created.key().id(), name);
    }
    out.flush();
  }

  @Command(name = "list", description = "Lists the keys, without their secrets.")
  void list(@Mixin OutputFormat output) {
    var list = weft.api().get(ManagementApi.KEYS, ManagementApi.KeyList.class);
    PrintWriter out = spec.commandLine().getOut();
    if (output.json()) {
      out.println(Terminal.json(list));
    } else {
      List<List<String>> rows =
          new ArrayList<>(List.of(List.of("ID", "NAME", "SCOPES", "FUNCTIONS", "CREATED")));
      list.keys().forEach(key -> rows.add(row(key)));
      out.print(Terminal.table(rows));
    }
    out.flush();
  }

  @Command(name = "revoke", description = "Revokes a key, at once.")
  void revoke(@Parameters(paramLabel = "ID", description = "The key's id.") String id) {
    weft.api().delete(ManagementApi.KEYS + "/" + id);
    PrintWriter out = spec.commandLine().getOut();
    out.println("revoked: " + id);
    out.flush();
  }

  private static List<String> row(ApiKey key) {
    Set<FunctionName> functions = key.functions();
    return List.of(
        key.id(),
        key.name(),
        key.scopes().stream().map(ListCommand::lower).sorted().collect(Collectors.joining(",")),
        functions == null
            ? "all"
            : functions.stream().map(FunctionName::value).sorted().collect(Collectors.joining(",")),
        key.createdAt().toString());
  }
}
