package dev.weft.runtime.server;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.runtime.engine.Engine;
import java.time.Duration;

/// `GET /health`: 200 while the engine's loop comes round, 503 once it has not for longer than a
/// step may take. It asks the loop itself, not the process: a server that accepts connections and
/// never answers them is not healthy.
final class Health {
  private final Engine engine;
  private final Duration stallLimit;

  Health(Engine engine, Duration stallLimit) {
    this.engine = engine;
    this.stallLimit = stallLimit;
  }

  void check(Call call) {
    boolean turning = engine.sinceLastTurn().compareTo(stallLimit) < 0;
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    json.put("status", turning ? "ok" : "stalled");
    call.respond(turning ? 200 : 503, json);
  }
}
