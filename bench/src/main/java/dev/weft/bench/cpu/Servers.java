package dev.weft.bench.cpu;

import dev.weft.bench.Peer;
import dev.weft.bench.load.BenchServer;
import dev.weft.bench.load.LlamaServer;
import dev.weft.bench.load.Target;
import dev.weft.bench.load.WeftRuntime;
import dev.weft.bench.models.ModelShape;
import dev.weft.functions.Quantization;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/// One model on every server at once: an idle one costs nothing, and starting them anew each round
/// would measure warming up.
final class Servers implements AutoCloseable {
  private final Map<String, BenchServer> servers = new LinkedHashMap<>();
  private final Map<String, Target> targets = new LinkedHashMap<>();

  /// @param slots sequences at once, and the context of each
  record Room(int slots, int slotTokens) {}

  /// Formats that servers are compared with: those that are served in practice.
  static Bits bits(ModelShape shape) {
    return shape.equals(ModelShape.SMOLLM2_135M) ? Bits.EIGHT : Bits.FOUR;
  }

  static Servers start(Setting setting, ModelShape shape, Room room)
      throws IOException, InterruptedException {
    Servers servers = new Servers();
    try {
      Bits bits = bits(shape);
      Path file = bits.file(setting.models(), shape);
      Path bf16 = bits.bf16(setting.models(), shape);
      servers.add(Contest.OWN, weft(setting, "own", function(bf16, bits.quantization(), room)));
      servers.add(Contest.SAME, weft(setting, "same", function(file, Quantization.NONE, room)));
      for (Peer peer : setting.peers()) {
        servers.add(
            peer.name(),
            LlamaServer.start(
                peer,
                new LlamaServer.Options(
                    file,
                    setting.threads(),
                    room.slots(),
                    room.slotTokens(),
                    setting.work().resolve(peer.name() + ".log"))));
      }
      return servers;
    } catch (IOException | RuntimeException | InterruptedException e) {
      servers.close();
      throw e;
    }
  }

  private static WeftRuntime.Function function(Path model, Quantization quantization, Room room) {
    return new WeftRuntime.Function("model", model, quantization, room.slotTokens());
  }

  private static WeftRuntime weft(Setting setting, String home, WeftRuntime.Function function)
      throws IOException {
    return WeftRuntime.start(
        new WeftRuntime.Options(
            setting.requireRuntime(),
            Files.createDirectories(setting.work().resolve(home)),
            setting.threads(),
            Optional.empty(),
            List.of(function),
            setting.work().resolve("weft-" + home + ".log")));
  }

  private void add(String name, BenchServer server) throws IOException, InterruptedException {
    servers.put(name, server);
    targets.put(name, server.target());
  }

  Map<String, Target> targets() {
    return targets;
  }

  BenchServer server(String name) {
    return Objects.requireNonNull(servers.get(name), name);
  }

  @Override
  public void close() {
    servers.values().forEach(BenchServer::close);
  }
}
