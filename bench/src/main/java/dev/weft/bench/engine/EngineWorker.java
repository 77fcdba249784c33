package dev.weft.bench.engine;

import dev.weft.bench.DecoderRun;
import dev.weft.bench.DecoderRun.Bounds;
import dev.weft.bench.Golden;
import dev.weft.bench.QuickstartModels;
import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.backend.UnsupportedModelException;
import dev.weft.runtime.cpu.CpuBackend;
import dev.weft.runtime.cpu.CpuOptions;
import dev.weft.runtime.cpu.topology.CpuTopology;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.ModelPackage;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/// Weft's CPU backend as a process that does what its input says, a line each: `prefill N` (N
/// tokens at once) or `decode N` (one by one from an empty context), as `llama-bench` does. It
/// answers with lines that begin with [#MARK].
///
/// Arguments: the model, the quantization, the threads (0: as many as the process may use) and the
/// longest prompt.
public final class EngineWorker {
  static final String MARK = "weft-bench: ";
  private static final int CONTEXT = 256;
  private static final int BATCH_ROWS = 512;

  private EngineWorker() {}

  public static void main(String[] arguments) throws IOException {
    int threads = Integer.parseInt(arguments[2]);
    int longest = Integer.parseInt(arguments[3]);
    CpuOptions options =
        CpuOptions.of(
            QuickstartModels.weftHome(),
            threads == 0 ? CpuTopology.detect().processors() : threads,
            System.getenv());
    try (Backend backend = new CpuBackend(options);
        ModelPackage model = ModelFiles.open(Path.of(arguments[0]));
        DecoderRun run =
            new DecoderRun(
                backend,
                model,
                Quantization.valueOf(arguments[1]),
                new Bounds(Math.max(longest, CONTEXT) + 1, Math.min(longest, BATCH_ROWS)))) {
      System.out.println(MARK + "ready " + backend.name());
      serve(run);
    } catch (UnsupportedModelException e) {
      System.out.println(MARK + "unsupported " + e.getMessage());
    }
  }

  private static void serve(DecoderRun run) throws IOException {
    int[] text = Golden.perplexity().windows().getFirst().tokens();
    BufferedReader lines =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      String[] words = line.split(" ", 2);
      int tokens = Integer.parseInt(words[1]);
      long start = System.nanoTime();
      switch (words[0]) {
        case "prefill" -> run.prefill(prompt(text, tokens));
        case "decode" -> run.greedy(new int[] {text[0]}, tokens);
        default -> throw new IllegalArgumentException("what is " + line);
      }
      System.out.println(MARK + tokens * 1e9 / (System.nanoTime() - start));
    }
  }

  private static int[] prompt(int[] text, int length) {
    int[] prompt = new int[length];
    for (int i = 0; i < length; i++) {
      prompt[i] = text[i % text.length];
    }
    return prompt;
  }
}
