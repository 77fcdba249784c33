package dev.weft.platform.telemetry;

import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.Why;
import dev.weft.platform.control.Decisions;
import io.vertx.core.MultiMap;
import org.jspecify.annotations.Nullable;

/// Is told what becomes of one request while it is on its way. What every method does here,
/// nothing, is what happens where nobody collects traces: it costs nothing, not even memory.
/// **thread**: the event loop of the request.
public interface RequestTrace {
  /// Of a request that nobody traces.
  RequestTrace OFF = new RequestTrace() {};

  /// Something was decided about it.
  default void decided(Decisions.Kind kind, @Nullable DeviceId device, Why why) {}

  /// It goes to a runtime.
  default void sent(RevisionId revision, DeviceId device) {}

  /// Puts on the request to that runtime what belongs to the trace.
  default void tell(MultiMap headers) {}

  /// The runtime said where its time went (`queue=0.1 prefill=0.2 decode=0.3`), or said nothing.
  default void took(@Nullable String times) {}

  /// That runtime does not answer it to the end.
  default void left(Why why) {}

  /// It has ended.
  default void ended(Invocation invocation) {}
}
