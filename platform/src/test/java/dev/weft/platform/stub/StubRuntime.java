package dev.weft.platform.stub;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.DeviceClass;
import dev.weft.functions.Function;
import dev.weft.functions.Json;
import dev.weft.functions.Model;
import dev.weft.functions.Quantization;
import dev.weft.functions.Revision;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.ControlApi;
import dev.weft.functions.instance.ControlApi.Inspection;
import dev.weft.functions.instance.ControlApi.LoadRequest;
import dev.weft.functions.instance.ControlApi.PrewarmRequest;
import dev.weft.functions.instance.ControlApi.Rejection;
import dev.weft.functions.instance.ControlApi.UnloadRequest;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.InstanceStatus.Blocks;
import dev.weft.functions.instance.InstanceStatus.Failure;
import dev.weft.functions.instance.InstanceStatus.LoadProgress;
import dev.weft.functions.instance.Tier;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/// The stub's main. How a model behaves is in its source: `file:///stub/slow-500` takes 500 ms to
/// load, `fail` fails for good, `flaky` fails once, `huge` never fits, `deadly` ends the process.
/// How a request is answered is in [StubAnswer]. Everything happens on one event loop.
public final class StubRuntime {
  private static final long CAPACITY = 1L << 30;
  private static final long STATUS_INTERVAL_MILLIS = 20;
  private static final long HEARTBEAT_MILLIS = 5_000;

  /// Of an instance that answers somebody.
  private static final long HEADROOM_MILLIS = 1_500;

  private static final ObjectMapper JSON = Json.mapper();

  private final Vertx vertx;
  private final DeviceId device;
  private final String secret;
  private final String runtimeId = UUID.randomUUID().toString();
  private final Map<RevisionId, Slot> slots = new TreeMap<>((a, b) -> (a + "").compareTo(b + ""));
  private final List<HttpServerResponse> followers = new ArrayList<>();
  private final Map<String, Integer> loads = new HashMap<>();
  private final StubAnswer answers = new StubAnswer(this);
  private int cancelled;
  private int continued;
  private long version = 1;
  private boolean resting;
  private boolean healthy = true;
  private boolean draining;
  private Map<String, String> lastHeaders = Map.of();

  private static final class Slot {
    final Revision revision;
    boolean pinned;
    Tier tier = Tier.DISK;
    int running;
    long loadCount;
    Instant lastUsedAt = Instant.now();
    @Nullable LoadProgress progress;
    @Nullable Failure failure;

    Slot(Revision revision) {
      this.revision = revision;
    }
  }

  /// What tests ask about.
  public record Stats(
      Map<String, Integer> loads, int cancelled, int continued, Map<String, String> lastHeaders) {}

  StubRuntime(Vertx vertx, DeviceId device, String secret) {
    this.vertx = vertx;
    this.device = device;
    this.secret = secret;
  }

  public static void main(String... arguments) throws IOException {
    Map<String, String> options = new HashMap<>();
    for (int i = 0; i + 1 < arguments.length; i += 2) {
      options.put(arguments[i], arguments[i + 1]);
    }
    Path announce = Path.of(Objects.requireNonNull(options.get("--announce")));
    DeviceId device = new DeviceId(Objects.requireNonNull(options.get("--device")));
    String secret = Files.readString(Path.of(Objects.requireNonNull(options.get("--secret-file"))));
    Vertx vertx = Vertx.vertx();
    StubRuntime stub = new StubRuntime(vertx, device, secret);
    vertx
        .createHttpServer()
        .requestHandler(stub::handle)
        .listen(0, options.getOrDefault("--host", "127.0.0.1"))
        .onSuccess(server -> announce(announce, stub, server.actualPort()))
        .onFailure(failure -> Runtime.getRuntime().halt(1));
  }

  private static void announce(Path file, StubRuntime stub, int port) {
    ProcessHandle self = ProcessHandle.current();
    Map<String, Object> said =
        Map.of(
            "device", stub.device.value(),
            "pid", self.pid(),
            "startedAt", self.info().startInstant().orElseThrow().toEpochMilli(),
            "port", port,
            "runtimeId", stub.runtimeId);
    try {
      Path fresh = Path.of(file + ".new");
      Files.write(fresh, JSON.writeValueAsBytes(said));
      Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      Runtime.getRuntime().halt(1);
    }
  }

  void handle(HttpServerRequest request) {
    if (!("Bearer " + secret).equals(request.getHeader("Authorization"))
        && !"/stub/stats".equals(request.path())
        && !"/stub/sick".equals(request.path())) {
      answers.error(request.response(), 401, "invalid_api_key");
      return;
    }
    request.bodyHandler(body -> route(request, body));
  }

  private void route(HttpServerRequest request, Buffer body) {
    HttpServerResponse response = request.response();
    try {
      switch (Objects.requireNonNull(request.path())) {
        case ControlApi.LOAD -> load(JSON.readValue(body.getBytes(), LoadRequest.class), response);
        case ControlApi.UNLOAD ->
            unload(JSON.readValue(body.getBytes(), UnloadRequest.class), response);
        case ControlApi.PREWARM ->
            prewarm(JSON.readValue(body.getBytes(), PrewarmRequest.class), response);
        case ControlApi.INSPECT ->
            inspect(JSON.readValue(body.getBytes(), Function.class), response);
        case ControlApi.DRAIN -> drain(response);
        case ControlApi.STATUS -> answer(response, 200, status());
        case ControlApi.STATUS_STREAM -> follow(response);
        case "/health" -> {
          if (healthy) {
            answer(response, 200, Map.of("status", "UP"));
          } else {
            answer(response, 503, Map.of("status", "DOWN"));
          }
        }
        case "/stub/stats" ->
            answer(response, 200, new Stats(loads, cancelled, continued, lastHeaders));
        case "/stub/sick" -> {
          healthy = false;
          response.end();
        }
        default -> infer(request, body);
      }
    } catch (IOException e) {
      answers.error(response, 400, "bad_control_call");
    }
  }

  private void load(LoadRequest request, HttpServerResponse response) {
    RevisionId id = request.revision().id();
    Slot slot = slots.computeIfAbsent(id, _ -> new Slot(request.revision()));
    slot.pinned = request.pinned();
    if (slot.tier != Tier.READY && slot.progress == null) {
      loads.merge(id.toString(), 1, Integer::sum);
      slot.failure = null;
      slot.progress = new LoadProgress(LoadProgress.Phase.FETCHING, "stub", 25, 100);
      begin(slot, behaviour(request.revision()));
    }
    publish();
    answer(response, 202, status(slot));
  }

  private void begin(Slot slot, String behaviour) {
    if (behaviour.equals("deadly")) {
      Runtime.getRuntime().halt(134);
    }
    int dash = behaviour.indexOf('-');
    long millis = behaviour.startsWith("slow") ? Long.parseLong(behaviour.substring(dash + 1)) : 20;
    vertx.setTimer(
        millis,
        _ -> {
          slot.progress = null;
          int count = loads.getOrDefault(slot.revision.id().toString(), 0);
          if (behaviour.equals("fail")) {
            slot.failure = new Failure("model_invalid", "the stub was told to fail", true);
          } else if (behaviour.equals("flaky") && count == 1) {
            slot.failure = new Failure("source_unreachable", "the stub fails once", false);
          } else {
            slot.tier = Tier.READY;
            slot.loadCount++;
            slot.lastUsedAt = Instant.now();
          }
          publish();
        });
  }

  private void unload(UnloadRequest request, HttpServerResponse response) {
    Slot slot = slots.get(request.revision());
    if (slot == null) {
      answer(response, 409, new Rejection(Rejection.Code.UNKNOWN_INSTANCE, "not known"));
    } else if (slot.running > 0 && !request.force()) {
      answer(response, 409, new Rejection(Rejection.Code.BUSY, "busy"));
    } else if (slot.pinned && !request.force()) {
      answer(response, 409, new Rejection(Rejection.Code.PINNED, "pinned"));
    } else {
      slot.tier = Tier.DISK;
      publish();
      answer(response, 200, status(slot));
    }
  }

  private void prewarm(PrewarmRequest request, HttpServerResponse response) {
    Slot slot = slots.computeIfAbsent(request.revision().id(), _ -> new Slot(request.revision()));
    slot.tier = slot.tier.atLeast(request.tier()) ? slot.tier : request.tier();
    publish();
    answer(response, 202, status(slot));
  }

  private void inspect(Function function, HttpServerResponse response) {
    String source = function.spec().model().sources().getFirst().uri();
    Model.Kind kind = source.contains("embed") ? Model.Kind.EMBEDDING : Model.Kind.GENERATION;
    Rejection rejection = null;
    if (source.endsWith("huge")) {
      rejection = new Rejection(Rejection.Code.NEVER_FITS, "needs 2.0 GiB, the device has 1.0 GiB");
    } else if (function.spec().quantization() == Quantization.FP8) {
      rejection = new Rejection(Rejection.Code.UNSUPPORTED, "this device cannot do fp8");
    }
    answer(response, 200, new Inspection(kind, "stub", true, 100, 100, CAPACITY, 2_048, rejection));
  }

  private void drain(HttpServerResponse response) {
    draining = true;
    response.setStatusCode(202).end();
    vertx.setPeriodic(
        20,
        _ -> {
          if (slots.values().stream().allMatch(slot -> slot.running == 0)) {
            Runtime.getRuntime().halt(0);
          }
        });
  }

  private void follow(HttpServerResponse response) {
    response.setChunked(true).putHeader("Content-Type", "text/event-stream");
    followers.add(response);
    long heartbeat = vertx.setPeriodic(HEARTBEAT_MILLIS, _ -> response.write(": alive\n\n"));
    response.closeHandler(_ -> {
      vertx.cancelTimer(heartbeat);
      followers.remove(response);
    });
    write(response);
  }

  private void infer(HttpServerRequest request, Buffer body) throws IOException {
    String function = Objects.requireNonNull(request.getHeader(ControlApi.FUNCTION_HEADER));
    String revision = Objects.requireNonNull(request.getHeader(ControlApi.REVISION_HEADER));
    Map<String, String> headers = new TreeMap<>();
    request
        .headers()
        .forEach(
            header -> headers.put(header.getKey().toLowerCase(Locale.ROOT), header.getValue()));
    headers.remove("authorization");
    lastHeaders = headers;
    String path = Objects.requireNonNull(request.path());
    int told = 0;
    if (path.equals(ControlApi.CONTINUE)) {
      continued++;
      JsonNode broken = JSON.readTree(body.getBytes());
      path = broken.path("path").asText();
      told = broken.at("/choices/0/tokens").size();
      body = Buffer.buffer(broken.path("request").toString());
    }
    Slot slot = slots.get(RevisionId.parse(revision));
    if (draining) {
      answers.error(request.response(), 503, "draining");
    } else if (slot == null) {
      answers.error(request.response(), 404, "model_not_found");
    } else if (slot.tier != Tier.READY) {
      answers.error(request.response(), 503, "model_not_loaded");
    } else {
      slot.running++;
      publish();
      answers.answer(
          new StubAnswer.Asked(request, path, body, told),
          function,
          () -> {
            slot.running--;
            slot.lastUsedAt = Instant.now();
            publish();
          });
    }
  }

  Vertx vertx() {
    return vertx;
  }

  void countCancelled() {
    cancelled++;
  }

  private static String behaviour(Revision revision) {
    String uri = revision.spec().model().sources().getFirst().uri();
    return uri.substring(uri.lastIndexOf('/') + 1);
  }

  /// At once, and then at most once an interval, as a runtime does.
  private void publish() {
    version++;
    if (!resting) {
      resting = true;
      long told = version;
      List.copyOf(followers).forEach(this::write);
      vertx.setTimer(
          STATUS_INTERVAL_MILLIS,
          _ -> {
            resting = false;
            if (version != told) {
              publish();
            }
          });
    }
  }

  private void write(HttpServerResponse follower) {
    try {
      follower.write("data: " + JSON.writeValueAsString(status()) + "\n\n");
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private DeviceStatus status() {
    return new DeviceStatus(
        device,
        DeviceClass.CPU,
        runtimeId,
        version,
        draining ? DeviceStatus.Phase.DRAINING : DeviceStatus.Phase.READY,
        new DeviceStatus.Memory(CAPACITY, 0, 0, DeviceStatus.Chunks.NONE),
        Set.of(Quantization.NONE, Quantization.AUTO, Quantization.W8A8),
        Set.of(),
        slots.values().stream().map(StubRuntime::status).toList());
  }

  private static InstanceStatus status(Slot slot) {
    String uri = slot.revision.spec().model().sources().getFirst().uri();
    return new InstanceStatus(
        slot.revision.id(),
        uri.contains("embed") ? Model.Kind.EMBEDDING : Model.Kind.GENERATION,
        slot.tier,
        slot.pinned,
        slot.running,
        0,
        100,
        new Blocks(0, 0, 1_000, 16, 0),
        slot.loadCount,
        slot.lastUsedAt,
        slot.progress,
        slot.failure,
        List.of(),
        0,
        null,
        slot.running == 0 ? null : HEADROOM_MILLIS);
  }

  private static void answer(HttpServerResponse response, int status, Object value) {
    try {
      response
          .setStatusCode(status)
          .putHeader("Content-Type", "application/json")
          .end(Buffer.buffer(JSON.writeValueAsBytes(value)));
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }
}
