package dev.weft.platform.management;

import dev.weft.functions.FunctionName;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.Model;
import dev.weft.functions.Revision;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus.Failure;
import dev.weft.functions.instance.InstanceStatus.LoadProgress;
import dev.weft.functions.instance.Tier;
import dev.weft.platform.control.Fleet;
import dev.weft.platform.keys.ApiKey;
import dev.weft.platform.keys.Scope;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The management API: paths and bodies. Every call carries `Authorization: Bearer <key>` of a key
/// with the scope `admin`. Errors have OpenAI's shape, `{"error":{message,type,param,code}}`.
///
/// | call | body | answer |
/// |---|---|---|
/// | `POST /api/v1/functions` | a manifest, YAML or JSON | 201 or 200 [Deployed]; 400 with the reason |
/// | `PUT /api/v1/functions/{name}` | the same | the same |
/// | `GET /api/v1/functions` | | 200 [FunctionList] |
/// | `GET /api/v1/functions/{name}` | | 200 [FunctionView] |
/// | `GET /api/v1/functions/{name}/revisions` | | 200 [RevisionList] |
/// | `GET /api/v1/functions/{name}/invocations?limit=N` | | 200 [InvocationList] |
/// | `POST /api/v1/functions/{name}/rollback` | [RollbackRequest] or none | 200 [FunctionView] |
/// | `POST /api/v1/functions/{name}/prewarm` | [PrewarmRequest] or none | 202 [FunctionView] |
/// | `GET /api/v1/functions/{name}/logs?follow=true` | | 200 text, a log line each |
/// | `DELETE /api/v1/functions/{name}` | | 204 |
/// | `GET /api/v1/devices` | | 200 [DeviceList] |
/// | `POST /api/v1/devices/{device}/drain` | | 202 [DeviceView]; it takes nothing new and lets go of what it has |
/// | `DELETE /api/v1/devices/{device}/drain` | | 204; it takes work again |
/// | `GET /api/v1/decisions?limit=N` | | 200 [DecisionList], the latest of all, oldest first |
/// | `GET /api/v1/decisions/{function or request}?limit=N` | | 200 [DecisionList], oldest first |
/// | `GET /api/v1/status/stream` | | SSE: one `data:` [StatusEvent] a change, a comment every 5 s |
/// | `POST /api/v1/keys` | [KeyRequest] | 201 [CreatedKey] |
/// | `GET /api/v1/keys` | | 200 [KeyList] |
/// | `DELETE /api/v1/keys/{id}` | | 204 |
/// | `POST /api/v1/shutdown` | | 202 [Version]; drains and ends everything |
/// | `GET /api/v1/version` | | 200 [Version] |
public final class ManagementApi {
  public static final String ROOT = "/api/v1";
  public static final String FUNCTIONS = ROOT + "/functions";
  public static final String DEVICES = ROOT + "/devices";
  public static final String STATUS_STREAM = ROOT + "/status/stream";
  public static final String DECISIONS = ROOT + "/decisions";
  public static final String KEYS = ROOT + "/keys";
  public static final String SHUTDOWN = ROOT + "/shutdown";
  public static final String VERSION = ROOT + "/version";

  private ManagementApi() {}

  /// What a deploy came to.
  ///
  /// @param change `created`, `new_revision`, `labels_only` or `unchanged`
  public record Deployed(String change, FunctionView function) {}

  public record FunctionList(List<FunctionView> functions) {}

  /// A function as it was declared, and how it is.
  ///
  /// @param kind what it does; `null` until the model's files have been read
  /// @param revision the active one
  public record FunctionView(
      FunctionName name,
      Map<String, String> labels,
      Model.@Nullable Kind kind,
      RevisionId revision,
      int revisionCount,
      FunctionSpec spec,
      Instant createdAt,
      Instant updatedAt,
      FunctionStatus status) {}

  /// How a function is.
  ///
  /// @param conditions `Ready` (a call will be answered) and `Loaded` (at once)
  /// @param tier how near its active revision is to answering
  /// @param progress of the load under way; `null` when none is
  /// @param failure why the last load failed; `null` when it did not
  /// @param heldRequests requests waiting in the gateway for an instance
  public record FunctionStatus(
      List<Condition> conditions,
      Tier tier,
      @Nullable LoadProgress progress,
      @Nullable Failure failure,
      int heldRequests,
      List<InstanceView> instances) {
    public Condition condition(String type) {
      return conditions.stream()
          .filter(condition -> condition.type().equals(type))
          .findFirst()
          .orElseThrow();
    }
  }

  /// One thing that is true, false or not known of a function.
  public record Condition(String type, Status status, String reason, String message) {
    public static final String READY = "Ready";
    public static final String LOADED = "Loaded";

    /// Whether it holds.
    public enum Status {
      TRUE,
      FALSE,
      UNKNOWN
    }
  }

  /// An instance of any revision of a function.
  ///
  /// @param workers threads of its device that take its small steps; 0 where there is nothing to
  ///   choose
  /// @param adapters names of the adapters that lie on it
  public record InstanceView(
      DeviceId device,
      RevisionId revision,
      Tier tier,
      boolean pinned,
      int runningRequests,
      int waitingRequests,
      long weightBytes,
      long loadCount,
      Instant lastUsedAt,
      int workers,
      List<String> adapters) {}

  public record RevisionList(RevisionId active, List<Revision> revisions) {}

  /// `revision` is a number; without it the one before the active one.
  public record RollbackRequest(@Nullable Integer revision) {}

  /// `tier` is `disk`, `host`, `device` or `ready`, which is also what is taken when it is left
  /// out.
  public record PrewarmRequest(@Nullable Tier tier) {}

  /// A finished request.
  public record InvocationView(
      String requestId,
      @Nullable RevisionId revision,
      @Nullable DeviceId device,
      String operation,
      int status,
      @Nullable String errorCode,
      @Nullable String keyId,
      @Nullable String workflow,
      @Nullable String stage,
      @Nullable String parent,
      Instant startedAt,
      double heldMillis,
      @Nullable Double ttftMillis,
      double durationMillis,
      @Nullable Long inputTokens,
      @Nullable Long outputTokens) {}

  public record InvocationList(List<InvocationView> invocations) {}

  /// A device and what its runtime last said.
  ///
  /// @param status `null` while its runtime is away
  /// @param absence why its runtime is away; `null` when it is not
  public record DeviceView(
      DeviceId device, @Nullable DeviceStatus status, @Nullable String absence) {
    /// Whether it is not known yet if its runtime can work.
    public boolean starts() {
      return Fleet.STARTING.equals(absence);
    }
  }

  public record DeviceList(List<DeviceView> devices) {}

  /// What was decided about a request or an instance, and why.
  ///
  /// @param requestId `null` for a decision about an instance
  /// @param kind `routed`, `refused`, `queued`, `held`, `turned_away`, `moved`, `loading`,
  ///   `load_refused` or `unloaded`
  /// @param device that was chosen or refused; `null` when none was
  /// @param reason as a sentence
  /// @param code of the reason, to count and to compare by
  /// @param values the figures that it was decided on
  public record DecisionView(
      Instant at,
      FunctionName function,
      @Nullable String requestId,
      String kind,
      @Nullable DeviceId device,
      String reason,
      String code,
      Map<String, Double> values) {
    public DecisionView {
      values = Map.copyOf(values);
    }
  }

  public record DecisionList(List<DecisionView> decisions) {}

  /// Everything, after a change.
  public record StatusEvent(List<FunctionView> functions, List<DeviceView> devices) {}

  /// @param scopes `invoke` when left out
  /// @param functions what it may invoke; all when left out
  public record KeyRequest(
      String name, @Nullable Set<Scope> scopes, @Nullable Set<FunctionName> functions) {}

  /// The only answer that ever holds a secret.
  public record CreatedKey(ApiKey key, String secret) {}

  public record KeyList(List<ApiKey> keys) {}

  /// @param pid of the platform process
  public record Version(String version, long pid, Instant startedAt, String java) {}
}
