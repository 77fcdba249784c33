package dev.weft.platform.cli;

import dev.weft.functions.Catalog;
import dev.weft.functions.Function;
import dev.weft.functions.FunctionName;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.InvalidManifestException;
import dev.weft.functions.Manifests;
import dev.weft.functions.Model;
import dev.weft.functions.ModelSource;
import dev.weft.platform.management.ManagementApi;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

@Command(
    name = "deploy",
    description = "Makes a function of a model, or a new revision of a function.",
    footer = {
      "",
      "weft deploy function.yaml                   a manifest (several in one file with ---; - is standard input)",
      "weft deploy ./model.gguf --name mine        a model file; what it is declared as is printed",
      "weft deploy ./model.gguf --ttft 500ms --priority 2",
      "weft deploy hf://org/name@revision          a model of the hub",
      "weft deploy --catalog smollm2               a ready one"
    })
final class DeployCommand implements Runnable {
  @ParentCommand private Main weft;

  @Spec private CommandSpec spec;

  @ArgGroup(multiplicity = "1")
  private What what = new What();

  @Option(
      names = "--name",
      paramLabel = "NAME",
      description = "The function's name (default: the model's).")
  private @Nullable String name;

  @Mixin private SpecOptions declared;

  @Option(names = "--wait", description = "Return once the function answers.")
  private boolean wait;

  @Mixin private OutputFormat output;

  /// What to deploy: one of these.
  static final class What {
    @Parameters(
        paramLabel = "MANIFEST|MODEL",
        description = "A manifest, a model file or a model's address.")
    private @Nullable String source;

    @Option(
        names = {"-f", "--file"},
        paramLabel = "MANIFEST",
        description = "A manifest.")
    private @Nullable String file;

    @Option(names = "--catalog", paramLabel = "NAME", description = "A function of the catalog.")
    private @Nullable String catalog;

    /// Neither a manifest nor a name in the catalog.
    boolean fromModel() {
      return source != null && !source.equals("-") && !source.matches(".*\\.(yaml|yml|json)");
    }
  }

  @Override
  public void run() {
    List<Function> functions = functions();
    ApiClient api = weft.api();
    PrintWriter out = spec.commandLine().getOut();
    if (what.fromModel() && !output.json()) {
      out.println(Manifests.toYaml(functions.getFirst()));
    }
    for (Function function : functions) {
      var deployed =
          api.post(
              ManagementApi.FUNCTIONS, Manifests.toJson(function), ManagementApi.Deployed.class);
      if (output.json()) {
        out.println(Terminal.json(deployed));
      } else {
        out.printf("%s: %s%n", deployed.change().replace('_', ' '), deployed.function().revision());
      }
      out.flush();
    }
    if (wait) {
      new ReadyWait(api, System.err)
          .untilAllAnswer(functions.stream().map(Function::name).toList());
    }
  }

  /// What is to be deployed, as it is declared and with what options say instead.
  private List<Function> functions() {
    try {
      return written().stream().map(declared::apply).toList();
    } catch (InvalidManifestException e) {
      throw new CliException(
          e.field().isEmpty() ? e.getMessage() : e.field() + ": " + e.getMessage(),
          "Correct the manifest and deploy again.");
    }
  }

  private List<Function> written() {
    if (what.catalog != null) {
      return List.of(fromCatalog(what.catalog));
    }
    if (what.fromModel()) {
      return List.of(fromModel(Objects.requireNonNull(what.source)));
    }
    if (name != null) {
      throw new CliException(
          "--name does not go with a manifest, which names its functions",
          "Write the name into the manifest, or leave the option out.");
    }
    return Manifests.parse(
        read(Objects.requireNonNull(what.file == null ? what.source : what.file)));
  }

  private Function fromCatalog(String ready) {
    return Catalog.find(ready)
        .map(function ->
            name == null ? function : Function.of(new FunctionName(name), function.spec()))
        .orElseThrow(
            () -> new CliException("the catalog has no '" + ready + "'", "It has: " + names()));
  }

  private static String names() {
    return Catalog.functions().stream()
        .map(function -> function.name().value())
        .collect(Collectors.joining(", "));
  }

  private static String read(String file) {
    try {
      return file.equals("-")
          ? new String(System.in.readAllBytes(), StandardCharsets.UTF_8)
          : Files.readString(Path.of(file));
    } catch (IOException e) {
      throw new CliException(
          "cannot read " + file + ": " + e.getMessage(), "See  weft deploy --help");
    }
  }

  /// A function with defaults for everything but the model.
  private Function fromModel(String source) {
    ModelSource model = source.contains("://") ? ModelSource.of(source) : local(source);
    return Function.of(
        new FunctionName(name == null ? nameOf(source) : name),
        FunctionSpec.of(new Model(null, List.of(model), null)));
  }

  private static ModelSource local(String source) {
    Path path = Path.of(source).toAbsolutePath().normalize();
    if (!Files.isReadable(path)) {
      throw new CliException(
          "cannot read " + source,
          "Name a model file, a directory, a manifest, or an address (hf://org/name, oci://..., s3://..., https://..., pypi://...).");
    }
    return ModelSource.of("file:" + path.toUri().getRawPath());
  }

  /// The last part of the address as a function name: `hf://org/My.Model@main` is `my-model`, and
  /// so is `oci://registry/my-model:v1`.
  static String nameOf(String source) {
    String whole = source.replaceAll("[@#?].*$", "").replaceAll("/+$", "");
    String last = whole.replaceAll("^.*/", "");
    if (whole.startsWith("oci://")) {
      last = last.replaceAll(":.*$", "");
    }
    String stem = last.replaceAll("\\.(gguf|safetensors)$", "").replaceAll("==.*$", "");
    String label =
        stem.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]+", "-").replaceAll("^-+|-+$", "");
    return label.length() > 63 ? label.substring(0, 63).replaceAll("-+$", "") : label;
  }
}
