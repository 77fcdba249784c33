package dev.weft.platform.gateway;

import dev.weft.platform.control.DeployedFunction;
import dev.weft.platform.keys.ApiKey;
import dev.weft.platform.telemetry.Invocation.WorkflowPlace;
import dev.weft.platform.telemetry.RequestTrace;
import io.vertx.core.buffer.Buffer;
import java.time.Instant;

/// A request that has been read and understood as far as routing needs.
///
/// @param function as it was deployed when the request came
/// @param responseId the id that the answer has, whichever instance writes it
/// @param trace told what becomes of it
/// @param seed used where the body has none, so that a second try gives the same answer
record GatewayRequest(
    String requestId,
    DeployedFunction function,
    Operation operation,
    RequestHead head,
    Buffer body,
    ApiKey key,
    WorkflowPlace workflow,
    String responseId,
    Instant arrivedAt,
    long arrivedNanos,
    long seed,
    RequestTrace trace) {}
