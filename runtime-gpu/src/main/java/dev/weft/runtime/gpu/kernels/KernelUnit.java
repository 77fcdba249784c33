package dev.weft.runtime.gpu.kernels;

import dev.weft.runtime.backend.KvType;
import dev.weft.runtime.tensor.DType;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/// Kernels that are compiled together: as few as are of use by themselves, so that a start compiles
/// what its model needs, and all units at once.
///
/// @param name for messages
/// @param parts this module's resources, in the order in which they need each other
/// @param kernels what is said after them, which makes kernels of templates
public record KernelUnit(String name, List<String> parts, String kernels) {
  /// What a decoder's step does beside products and attention.
  public static final KernelUnit STEP =
      new KernelUnit("step", List.of("device.cuh", "rows.cuh", "largest.cuh", "decoder.cuh"), "");

  /// Choosing tokens from logits.
  public static final KernelUnit SAMPLING =
      new KernelUnit("sampling", List.of("device.cuh", "largest.cuh", "sampling.cuh"), "");

  /// What an encoder's pass does beside products, attention and what decoders have too.
  public static final KernelUnit ENCODER =
      new KernelUnit("encoder", List.of("device.cuh", "rows.cuh", "encoder.cuh"), "");

  /// What adapters add to products.
  public static final KernelUnit ADAPTERS =
      new KernelUnit(
          "adapters", List.of("device.cuh", "rows.cuh", "formats.cuh", "adapters.cuh"), "");

  /// Elements of heads that there is an attention for; smaller heads are filled up with zeros.
  private static final List<Integer> HEAD_SIZES = List.of(64, 128, 256);

  /// Rows of activations that there are wide products for.
  private static final List<Integer> WIDE_ROWS = List.of(32, 64, 128);

  /// Rows of activations that there are streamed products for.
  private static final List<Integer> STREAMED_ROWS = List.of(128, 192, 256);

  private static final String WIDE = "wide.cuh";

  /// Elements of heads that there is a wide attention for, of float16.
  private static final List<Integer> WIDE_HEAD_SIZES = List.of(64, 128);

  public KernelUnit {
    parts = List.copyOf(parts);
  }

  /// The largest head that there is an attention for.
  public static int mostHeadSize() {
    return HEAD_SIZES.getLast();
  }

  /// The head size that attention computes with for heads of this many elements.
  public static int paddedHeadSize(int headSize) {
    return HEAD_SIZES.stream()
        .filter(size -> size >= headSize)
        .findFirst()
        .orElseThrow(
            () -> new IllegalArgumentException("there is no attention for heads of " + headSize));
  }

  /// Attention for a padded head size, and keys and values of a type.
  public static KernelUnit attention(int headSize, KvType type) {
    String element =
        switch (type) {
          case F16 -> "Float16";
          case INT8 -> "Int8";
        };
    String suffix = attentionSuffix(headSize, type);
    return new KernelUnit(
        "attention of heads of " + suffix,
        List.of("device.cuh", "rows.cuh", "attention.cuh"),
        "WEFT_ATTEND(%d, %s, %s)".formatted(headSize, element, suffix));
  }

  /// Whether there is a wide attention for a padded head size and keys and values of a type.
  public static boolean hasWideAttention(int headSize, KvType type) {
    return type == KvType.F16 && WIDE_HEAD_SIZES.contains(headSize);
  }

  /// Attention of tiles with Hopper's own instructions.
  public static KernelUnit wideAttention(int headSize) {
    return new KernelUnit(
        "wide attention of heads of " + headSize,
        List.of(
            "device.cuh",
            "rows.cuh",
            "formats.cuh",
            "products.cuh",
            WIDE,
            "attention.cuh",
            "wide_attention.cuh"),
        "WEFT_ATTEND_WIDE(%d)".formatted(headSize));
  }

  /// What the names of an attention's kernels end in.
  public static String attentionSuffix(int headSize, KvType type) {
    return "%d_%s".formatted(headSize, type.name().toLowerCase(Locale.ROOT));
  }

  /// Products with weights of a type, and looking up their rows.
  public static KernelUnit weights(DType type) {
    String format = type.name();
    String name = format.toLowerCase(Locale.ROOT);
    String products =
        switch (type) {
          case F32 -> "";
          case BF16 -> "WEFT_PRODUCTS_OF_BFLOATS ";
          default -> "WEFT_PRODUCTS(%s, %s) ".formatted(format, name);
        };
    return new KernelUnit(
        "weights of " + name,
        List.of(
            "device.cuh",
            "rows.cuh",
            "formats.cuh",
            type == DType.F32 ? "exact.cuh" : "products.cuh",
            "embed.cuh"),
        products + "WEFT_EMBED(%s, %s)".formatted(format, name));
  }

  /// Products of bfloat16 for so many rows at once, with Hopper's own instructions.
  public static KernelUnit wide(int rows) {
    return new KernelUnit(
        "wide products of %d rows".formatted(rows),
        List.of("device.cuh", "rows.cuh", "formats.cuh", "products.cuh", WIDE),
        "WEFT_WIDE_PRODUCTS_" + rows);
  }

  /// Products of bfloat16 that take one tile of so many rows after the other, for as many rows as a
  /// prompt has.
  public static KernelUnit streamed(int rows) {
    return new KernelUnit(
        "streamed products of %d rows".formatted(rows),
        List.of("device.cuh", "rows.cuh", "formats.cuh", "products.cuh", WIDE, "streamed.cuh"),
        "WEFT_STREAMED_PRODUCTS_" + rows);
  }

  /// All wide products, streamed ones among them.
  public static List<KernelUnit> wide() {
    return Stream.concat(
            WIDE_ROWS.stream().map(KernelUnit::wide),
            STREAMED_ROWS.stream().map(KernelUnit::streamed))
        .toList();
  }

  /// Whether it is for this architecture.
  public boolean compilesFor(String architecture) {
    return !parts.contains(WIDE) || architecture.equals(KernelSource.HOPPER);
  }

  /// All units.
  public static List<KernelUnit> all() {
    return Stream.of(
            Stream.of(STEP, SAMPLING, ENCODER, ADAPTERS),
            wide().stream(),
            HEAD_SIZES.stream()
                .flatMap(size -> Stream.of(KvType.values()).map(type -> attention(size, type))),
            WIDE_HEAD_SIZES.stream().map(KernelUnit::wideAttention),
            Stream.of(DType.values()).map(KernelUnit::weights))
        .flatMap(units -> units)
        .toList();
  }

  /// What a compiler is given. Messages name a part and its line.
  public String text() {
    return KernelSource.text(List.of(this));
  }
}
