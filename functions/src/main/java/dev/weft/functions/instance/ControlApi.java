package dev.weft.functions.instance;

import dev.weft.functions.Model.Kind;
import dev.weft.functions.Revision;
import dev.weft.functions.RevisionId;
import org.jspecify.annotations.Nullable;

/// The runtime's control API: paths, headers and bodies. Every call carries `Authorization: Bearer
/// <secret>`.
///
/// | call | body | answer |
/// |---|---|---|
/// | `POST /control/load` | [LoadRequest] | 202 [InstanceStatus]; joins a load under way; 409 [Rejection] |
/// | `POST /control/unload` | [UnloadRequest] | 200 [InstanceStatus]; 409 [Rejection] when busy or pinned, unless forced |
/// | `POST /control/prewarm` | [PrewarmRequest] | 202 [InstanceStatus]; the tier it has been asked to reach |
/// | `POST /control/inspect` | [Function] | 200 [Inspection]: what the function would need, before it is deployed |
/// | `POST /control/continue` | an inference request and what has been read of its answer | 200, the rest of the stream |
/// | `GET /control/kv/{ticket}` | | 200, keys and values that were kept of a stream which goes on elsewhere; 404 when they are gone |
/// | `DELETE /control/kv/{ticket}` | | 204; nobody wants them |
/// | `POST /control/drain` | none | 202; finishes what runs, admits nothing new, then exits |
/// | `GET /control/status` | | 200 [DeviceStatus] |
/// | `GET /control/status/stream` | | SSE: one `data:` [DeviceStatus] a change, a comment every 5 s |
public final class ControlApi {
  public static final String LOAD = "/control/load";
  public static final String UNLOAD = "/control/unload";
  public static final String PREWARM = "/control/prewarm";
  public static final String INSPECT = "/control/inspect";

  /// Goes on with a stream that broke, on this runtime or another. The headers are those of an
  /// inference request; the body is
  ///
  /// ```
  /// {"path": "/v1/chat/completions",
  ///  "choices": [{"index": 0, "tokens": [12, 34]}, {"index": 1, "tokens": [5], "used": 2}],
  ///  "request": {the body as it was}}
  /// ```
  ///
  /// with a member of `choices` for each of which a frame has been read: the ids of its `: t`
  /// comments, and `used` when its end has been read. What follows begins with the next token: no
  /// frame comes twice, and usage counts the request as a whole.
  ///
  /// Where the runtime that wrote the stream keeps its keys and values (`: kv kept`), the choice
  /// also has `"kv": {"at": "http://127.0.0.1:7001/control/kv/TICKET", "tokens": 812}`. The runtime
  /// that goes on fetches them where that is expected to take less time than computing them, and
  /// says in a comment `: kv TEXT` before the first frame what it did, and why.
  public static final String CONTINUE = "/control/continue";

  /// What is kept of a stream, followed by its ticket. The ticket is the key: who was told it needs
  /// no secret.
  public static final String KV = "/control/kv/";

  /// The first token whose keys and values are wanted; absent, the text's first.
  public static final String KV_FIRST_HEADER = "weft-kv-first";

  public static final String DRAIN = "/control/drain";
  public static final String STATUS = "/control/status";
  public static final String STATUS_STREAM = "/control/status/stream";

  /// Names the function that an inference request is for; it wins over the body's `model`.
  public static final String FUNCTION_HEADER = "weft-function";

  /// Names the revision (`name-00001`) that an inference request is for; absent, the newest loaded
  /// one.
  public static final String REVISION_HEADER = "weft-revision";

  /// The response id that the gateway chose (`chatcmpl-...`).
  public static final String RESPONSE_ID_HEADER = "weft-response-id";

  /// The `created` second that the gateway chose.
  public static final String CREATED_HEADER = "weft-created";

  /// The seed to use when the body has none.
  public static final String SEED_HEADER = "weft-seed";

  /// `1` asks for a comment before each SSE frame of a choice, and for usage in the last one. `: t
  /// 12 34` says which tokens the frame's text came from, `: t/1 12` those of the second choice, `:
  /// t 12 end 57` that it is the choice's last frame and that it took 57 tokens. `: kv kept 0
  /// TICKET 812`, before an error that sends the stream elsewhere, says that keys and values of a
  /// choice's first 812 tokens, prompt included, can be fetched for some seconds.
  public static final String TOKENS_HEADER = "weft-tokens";

  /// `1` asks for the times of a generation, which come as a header of this name with a whole
  /// answer and in a comment `: times TEXT` at a stream's end: `queue=0.0012 prefill=0.0310
  /// decode=1.5` are the seconds until its first step, from then to its first token, and from that
  /// to its last; of several choices the longest each.
  public static final String TIMES_HEADER = "weft-times";

  /// Milliseconds that the request may still take before its first token.
  public static final String DEADLINE_HEADER = "weft-deadline-ms";

  /// Milliseconds that the caller has waited for the first token already, without what he waited
  /// for a cold start: they count when it is due.
  public static final String WAITED_HEADER = "weft-waited-ms";

  /// `in-time` asks for a refusal (429, a code that begins with `not_in_time`) where this request
  /// would be late, or make others late; without it a request waits for its turn, however long.
  public static final String ADMISSION_HEADER = "weft-admission";

  public static final String ADMISSION_IN_TIME = "in-time";

  /// What the codes of such refusals begin with.
  public static final String NOT_IN_TIME = "not_in_time";

  /// Among the figures of such a refusal, where it is so: by how many seconds the request would be
  /// late if the device had nothing else to do.
  public static final String LATE_ALONE = "lateAloneSeconds";

  /// Recorded with every invocation; later work orders and warms by them.
  public static final String WORKFLOW_HEADER = "weft-workflow";

  public static final String STAGE_HEADER = "weft-stage";
  public static final String PARENT_HEADER = "weft-parent";

  private ControlApi() {}

  /// Asks for an instance of a revision. `pinned` instances are never evicted.
  ///
  /// @param base of an adapter: the revision to load it onto, which is loaded first when need be;
  ///   `null` for a model of its own
  public record LoadRequest(Revision revision, boolean pinned, @Nullable Revision base) {
    /// Of a model of its own.
    public LoadRequest(Revision revision, boolean pinned) {
      this(revision, pinned, null);
    }
  }

  /// Asks for an instance to go; `force` ends what it runs.
  public record UnloadRequest(RevisionId revision, boolean force) {}

  /// Asks for a revision's weights to be brought to a tier, without serving.
  public record PrewarmRequest(Revision revision, Tier tier) {}

  /// Why a control call was refused.
  public record Rejection(Code code, String message) {
    /// The reasons; `NEVER_FITS` and `UNSUPPORTED` stay true however long one waits.
    public enum Code {
      BUSY,
      PINNED,
      NO_MEMORY_NOW,
      NEVER_FITS,
      UNSUPPORTED,
      DRAINING,
      UNKNOWN_INSTANCE
    }
  }

  /// What a function needs of a device.
  ///
  /// @param weightBytes bytes of weights once loaded; an estimate from the files' sizes while
  ///   `exact` is false
  /// @param contextLength the context that it would get
  /// @param rejection why this device would refuse it; `null` when it would not
  public record Inspection(
      @Nullable Kind kind,
      @Nullable String family,
      boolean exact,
      long weightBytes,
      long minKvBytes,
      long capacityBytes,
      int contextLength,
      @Nullable Rejection rejection) {}
}
