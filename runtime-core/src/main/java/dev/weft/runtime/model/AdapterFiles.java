package dev.weft.runtime.model;

import dev.weft.runtime.model.AdapterWeights.Delta;
import dev.weft.runtime.tensor.Tensor;
import dev.weft.runtime.weights.GgufFile;
import dev.weft.runtime.weights.ModelFormatException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.IntToDoubleFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Opens low-rank adapters: a directory of PEFT's (`adapter_config.json` and
/// `adapter_model.safetensors`), or a GGUF file of type `adapter`. What a file asks for and this
/// cannot compute is refused by name, as is what does not fit the base.
public final class AdapterFiles {
  private static final String CONFIG = "adapter_config.json";
  private static final Pattern MATRIX = Pattern.compile("blk\\.(\\d{1,4})\\.(\\w+)\\.weight");

  private AdapterFiles() {}

  /// Opens the adapter at `path` for `base`. Throws [ModelFormatException].
  public static AdapterPackage open(Path path, DecoderSpec base) {
    if (Files.isRegularFile(path.resolve(CONFIG))) {
      return PeftAdapter.open(path, path.resolve(CONFIG), base);
    }
    if (!Files.isDirectory(path)) {
      return openGguf(path, base);
    }
    Path gguf = ModelFiles.onlyGguf(path).orElse(null);
    if (gguf == null) {
      throw new ModelFormatException(
          "%s: the directory holds neither an %s nor a GGUF file"
              .formatted(path.getFileName(), CONFIG));
    }
    return openGguf(gguf, base);
  }

  private static AdapterPackage openGguf(Path path, DecoderSpec base) {
    GgufFile file = GgufFile.open(path);
    try {
      var config = new ConfigReader(new GgufConfig(file, "adapter"));
      require(config, "general.type", "adapter");
      require(config, "adapter.type", "lora");
      String architecture = config.source().string("general.architecture").orElse("");
      Family family =
          Families.ofGgufArchitecture(architecture)
              .filter(known -> known.names().equals(LlamaFamily.NAMES))
              .orElseThrow(() ->
                  config.failure(
                      "adapters of the architecture '%s' are not supported"
                          .formatted(architecture)));
      double alpha = config.source().number("adapter.lora.alpha").orElse(0);
      Matrices matrices = new Matrices(file.fileName());
      for (String name : file.names()) {
        Tensor tensor = file.tensor(name);
        if (name.endsWith(".lora_a")) {
          matrices.addA(name.substring(0, name.length() - ".lora_a".length()), tensor);
        } else if (name.endsWith(".lora_b")) {
          matrices.addB(name.substring(0, name.length() - ".lora_b".length()), tensor);
        } else {
          throw matrices.noPlace(name);
        }
      }
      boolean interleaved = family.ggufArchitecture().equals(LlamaFamily.INTERLEAVED);
      // As llama.cpp reads it: no alpha is no scale.
      return new AdapterPackage(
          matrices.fit(base, interleaved, rank -> alpha == 0 ? 1 : alpha / rank), file);
    } catch (RuntimeException e) {
      file.close();
      throw e;
    }
  }

  private static void require(ConfigReader config, String key, String expected) {
    String actual = config.source().string(key).orElse("");
    if (!actual.equals(expected)) {
      throw config.failure("'%s' is '%s'; it must be '%s'".formatted(key, actual, expected));
    }
  }

  /// The two matrices of each weight that is changed, as they are found.
  static final class Matrices {
    private final String fileName;
    private final Map<String, Tensor> a = new TreeMap<>();
    private final Map<String, Tensor> b = new TreeMap<>();

    Matrices(String fileName) {
      this.fileName = fileName;
    }

    /// @param weight the canonical name of what is changed
    void addA(String weight, Tensor tensor) {
      add(a, weight, tensor);
    }

    void addB(String weight, Tensor tensor) {
      add(b, weight, tensor);
    }

    private void add(Map<String, Tensor> half, String weight, Tensor tensor) {
      if (half.putIfAbsent(weight, tensor) != null) {
        throw failure("tensor '%s' is there under two names".formatted(tensor.name()));
      }
    }

    ModelFormatException noPlace(String name) {
      return failure(
          "tensor '%s' has no place: an adapter may change the projections %s of a layer"
              .formatted(name, String.join(", ", AdapterWeights.PARTS)));
    }

    ModelFormatException failure(String reason) {
      return new ModelFormatException("%s: %s".formatted(fileName, reason));
    }

    /// The whole adapter, checked.
    ///
    /// @param interleaved whether the rows of queries and keys are in GGUF's order of Llama
    /// @param scale of a rank
    AdapterWeights fit(DecoderSpec base, boolean interleaved, IntToDoubleFunction scale) {
      if (a.isEmpty() && b.isEmpty()) {
        throw failure("the adapter has no tensors");
      }
      List<Delta> deltas = new ArrayList<>();
      a.forEach((weight, inner) -> {
        Tensor outer = b.get(weight);
        if (outer == null) {
          throw failure("tensor '%s' has no B beside it".formatted(inner.name()));
        }
        Matcher matcher = MATRIX.matcher(weight);
        if (!matcher.matches() || !AdapterWeights.PARTS.contains(matcher.group(2))) {
          throw noPlace(inner.name());
        }
        deltas.add(
            new Delta(Integer.parseInt(matcher.group(1)), matcher.group(2), inner, outer, 1));
      });
      b.forEach((weight, outer) -> {
        if (!a.containsKey(weight)) {
          throw failure("tensor '%s' has no A beside it".formatted(outer.name()));
        }
      });
      new AdapterWeights(deltas).requireFits(base);
      return new AdapterWeights(
          deltas.stream()
              .map(delta ->
                  new Delta(
                      delta.layer(),
                      delta.part(),
                      delta.a(),
                      turned(delta, base, interleaved),
                      (float) scale.applyAsDouble(delta.rank())))
              .toList());
    }

    /// B in the order of the base's rotary pairs: a head's pairs lie side by side, or half a head
    /// apart.
    private static Tensor turned(Delta delta, DecoderSpec base, boolean interleaved) {
      boolean rotary = delta.part().equals("attn_q") || delta.part().equals("attn_k");
      if (!rotary || interleaved == base.rope().interleaved()) {
        return delta.b();
      }
      Tensor b = delta.b();
      int half = base.headSize() / 2;
      long rowBytes = b.data().byteSize() / b.shape().rowCount();
      MemorySegment out = MemorySegment.ofArray(new byte[Math.toIntExact(b.data().byteSize())]);
      for (long row = 0; row < b.shape().rowCount(); row++) {
        long head = row - row % base.headSize();
        long element = row % base.headSize();
        // The rows of one order by those of the other.
        long apart = head + element;
        long paired = head + element % half * 2 + element / half;
        long from = interleaved ? paired : apart;
        long to = interleaved ? apart : paired;
        MemorySegment.copy(b.data(), from * rowBytes, out, to * rowBytes, rowBytes);
      }
      return new Tensor(b.name(), b.dtype(), b.shape(), out);
    }
  }
}
