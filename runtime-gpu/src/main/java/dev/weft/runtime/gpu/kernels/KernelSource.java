package dev.weft.runtime.gpu.kernels;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/// The text of the kernels: this module's resources, those of a unit one after the other.
public final class KernelSource {
  /// What kernels with Hopper's own instructions are compiled for; later devices lack some of them.
  public static final String HOPPER = "sm_90a";

  /// A product and a sum are rounded each, as the formats define it and as every kernel of a family
  /// must have it alike; what is to be fused says so (`fmaf`).
  private static final List<String> OPTIONS = List.of("--std=c++17", "--fmad=false");

  private KernelSource() {}

  /// The text of units, each part once. Messages name a part and its line.
  public static String text(List<KernelUnit> units) {
    var text = new StringBuilder();
    units.stream()
        .flatMap(unit -> unit.parts().stream())
        .distinct()
        .forEach(part ->
            text.append("#line 1 \"").append(part).append("\"\n").append(read(part)).append('\n'));
    units.forEach(unit -> text.append(unit.kernels()).append('\n'));
    return text.toString();
  }

  /// For one architecture.
  static List<String> options(String architecture) {
    List<String> options = new ArrayList<>(OPTIONS);
    options.add("--gpu-architecture=" + architecture);
    return options;
  }

  /// What kernels are compiled for on a device of this compute capability (90 on Hopper, whose own
  /// instructions want `sm_90a`).
  public static String architecture(int capability) {
    return "sm_" + capability + (capability >= 90 ? "a" : "");
  }

  private static String read(String part) {
    String name = "/dev/weft/runtime/gpu/kernels/" + part;
    try (InputStream resource = KernelSource.class.getResourceAsStream(name)) {
      if (resource == null) {
        throw new IllegalStateException("there is no resource " + name);
      }
      return new String(resource.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(name, e);
    }
  }
}
