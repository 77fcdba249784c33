package dev.weft.platform.simulation;

import com.fasterxml.jackson.databind.JsonNode;
import dev.weft.autoscaler.profile.RefinedProfile.Margin;
import dev.weft.autoscaler.simulation.DeviceSpec;
import dev.weft.autoscaler.simulation.ModelSpec;
import dev.weft.functions.DeviceClass;
import dev.weft.functions.Json;
import dev.weft.functions.instance.PerformanceTable;
import dev.weft.functions.instance.PerformanceTable.DecodeRow;
import dev.weft.functions.instance.PerformanceTable.DecodeTime;
import dev.weft.functions.instance.PerformanceTable.PrefillTime;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Models and devices as they were measured: the testbed of LLM-Mesh (arXiv 2507.00507) unless a
/// file of the same form is given.
public final class Testbed {
  private static final Map<String, String> SHORT =
      Map.of("3B", "llama-3.2-3b", "7B", "llama-2-7b", "8B", "llama-3.1-8b", "13B", "llama-2-13b");
  private static final Map<String, String> KINDS =
      Map.of(
          "cpu", "xeon-32c-amx",
          "cpu16", "xeon-16c-amx",
          "cpu8", "xeon-8c-amx",
          "gpu", "a100-80g");

  private static final Pattern DEVICES =
      Pattern.compile(
          "(?<kind>[^=]+)=(?<number>[0-9]{1,5})(@(?<cached>[0-9]{1,5}))?"
              + "(x(?<factor>[0-9]{1,2}(\\.[0-9]{1,3})?))?");

  private static final double GIB = 1L << 30;
  private static final long MILLI = 1_000_000;

  /// Memory of each device, and what an instance takes of it beside weights and KV.
  private static final long MEMORY = (long) (78 * GIB);

  private static final long INSTANCE = (long) (1.5 * GIB);

  /// Over a network of 10 Gbit/s.
  private static final long FETCH_PER_GIB = 859 * MILLI;

  private final JsonNode json;

  private Testbed(JsonNode json) {
    this.json = json;
  }

  /// The measured testbed.
  public static Testbed measured() {
    try (InputStream in = Testbed.class.getResourceAsStream("testbed.json")) {
      return new Testbed(Json.mapper().readTree(in));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// A file's.
  ///
  /// @throws FileFormatException when it cannot be read
  public static Testbed read(Path file) {
    try {
      JsonNode json = Json.mapper().readTree(Files.readAllBytes(file));
      if (json.path("models").isEmpty()) {
        throw new FileFormatException(file + " has no models");
      }
      return new Testbed(json);
    } catch (IOException e) {
      throw new FileFormatException("cannot read %s: %s".formatted(file, e.getMessage()));
    }
  }

  /// A model by its name, or by its size in the testbed (`7B`).
  ///
  /// @throws FileFormatException when there is none
  public ModelSpec model(String name) {
    String key = SHORT.getOrDefault(name.toUpperCase(Locale.ROOT), name);
    JsonNode model = json.path("models").path(key);
    if (model.isMissingNode()) {
      List<String> known = new ArrayList<>();
      json.path("models").fieldNames().forEachRemaining(known::add);
      throw new FileFormatException("no model %s; there are %s".formatted(name, known));
    }
    Map<String, ModelSpec.OnKind> kinds = new HashMap<>();
    model
        .path("devices")
        .properties()
        .forEach(entry -> kinds.put(entry.getKey(), onKind(entry.getValue())));
    double gib = model.path("weights_gib").asDouble();
    return new ModelSpec(
        name,
        (long) (gib * GIB),
        model.path("kv_kib_per_token").asLong() * 1_024,
        gib < 10 ? 4 : gib < 20 ? 2 : 1,
        kinds);
  }

  private static ModelSpec.OnKind onKind(JsonNode device) {
    List<PrefillTime> prefill = new ArrayList<>();
    for (JsonNode point : device.path("prefill_ms_by_tokens")) {
      prefill.add(new PrefillTime(point.path(0).asInt(), point.path(1).asDouble()));
    }
    List<DecodeRow> decode = new ArrayList<>();
    for (JsonNode row : device.path("decode_ms_by_context_then_batch")) {
      List<DecodeTime> times = new ArrayList<>();
      for (JsonNode point : row.path(1)) {
        times.add(new DecodeTime(point.path(0).asInt(), point.path(1).asDouble()));
      }
      decode.add(new DecodeRow(row.path(0).asInt(), times));
    }
    return new ModelSpec.OnKind(
        new PerformanceTable(prefill, decode),
        device.path("exclusive_max_concurrency").asInt(0),
        device.path("half_share_max_concurrency").asInt(0));
  }

  /// Devices by a list like `cpu=4,gpu=4`, or `gpu=4@64` where each has 64 GiB of cached weights
  /// and others have to be fetched (an unlimited cache where nothing is said), or `gpu=4x1.5` where
  /// each step takes one and a half times as long as the profile says; a kind is a short one or as
  /// profiles name it.
  ///
  /// @throws FileFormatException when the list cannot be read
  public List<DeviceSpec> devices(String list) {
    List<DeviceSpec> devices = new ArrayList<>();
    for (String part : list.split(",", -1)) {
      Matcher matcher = DEVICES.matcher(part);
      if (!matcher.matches()) {
        throw new FileFormatException(
            "'%s' is not a kind of device and a number, like gpu=4".formatted(part));
      }
      String kind = KINDS.getOrDefault(matcher.group("kind"), matcher.group("kind"));
      requireKnown(kind);
      String cached = matcher.group("cached");
      DeviceSpec.Cache cache =
          cached == null
              ? DeviceSpec.Cache.ALL
              : new DeviceSpec.Cache((long) (Integer.parseInt(cached) * GIB), FETCH_PER_GIB);
      String factor = matcher.group("factor");
      for (int i = 0; i < Integer.parseInt(matcher.group("number")); i++) {
        devices.add(
            device("%s-%d".formatted(matcher.group("kind"), i), kind)
                .with(cache)
                .slower(factor == null ? 1 : Double.parseDouble(factor)));
      }
    }
    if (devices.isEmpty()) {
      throw new FileFormatException("no devices in " + list);
    }
    return devices;
  }

  private void requireKnown(String kind) {
    for (JsonNode model : json.path("models")) {
      if (model.path("devices").has(kind)) {
        return;
      }
    }
    throw new FileFormatException(
        "no profile has a device %s; short names are %s".formatted(kind, KINDS.keySet()));
  }

  private DeviceSpec device(String name, String kind) {
    boolean cpu = kind.startsWith("xeon") || kind.startsWith("cpu");
    double margin = json.path("safety_factor").path(cpu ? "cpu" : "gpu").asDouble(cpu ? 1.1 : 1.05);
    return new DeviceSpec(
        name,
        kind,
        cpu ? DeviceClass.CPU : DeviceClass.GPU,
        MEMORY,
        INSTANCE,
        true,
        200 * MILLI,
        (long) (82.4 * MILLI),
        (cpu ? 50 : 20) * MILLI,
        300 * MILLI,
        new Margin(margin, margin),
        1,
        DeviceSpec.Cache.ALL);
  }
}
