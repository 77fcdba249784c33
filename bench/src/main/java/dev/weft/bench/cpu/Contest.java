package dev.weft.bench.cpu;

import dev.weft.bench.Confinement;
import dev.weft.bench.Peer;
import dev.weft.bench.engine.LlamaBench;
import dev.weft.bench.engine.LlamaBench.Amount;
import dev.weft.bench.engine.ReadBandwidth;
import dev.weft.bench.engine.WeftEngine;
import dev.weft.bench.models.ModelShape;
import dev.weft.functions.Quantization;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/// One model at one width of bits: Weft in its own format and from the same file as the peers, each
/// loaded once, and the peers, which load anew each time.
final class Contest implements AutoCloseable {
  static final String OWN = "weft, own format";
  static final String SAME = "weft, same file";

  private final Setting setting;
  private final Path file;
  private final long bytes;
  private final Map<String, WeftEngine> engines = new LinkedHashMap<>();

  private Contest(Setting setting, Path file, double bytes) {
    this.setting = setting;
    this.file = file;
    this.bytes = (long) bytes;
  }

  static Contest open(Setting setting, ModelShape shape, Bits bits, int longestPrompt)
      throws IOException {
    Contest contest =
        new Contest(setting, bits.file(setting.models(), shape), bits.fileBytes(shape));
    try {
      if (bits.hasOwn()) {
        Path bf16 = bits.bf16(setting.models(), shape);
        contest.start(OWN, bf16, bits.quantization(), longestPrompt);
      }
      contest.start(SAME, contest.file, Quantization.NONE, longestPrompt);
      return contest;
    } catch (IOException | RuntimeException e) {
      contest.close();
      throw e;
    }
  }

  private void start(String subject, Path model, Quantization quantization, int longestPrompt)
      throws IOException {
    Optional<WeftEngine> engine =
        WeftEngine.open(
            new WeftEngine.Options(
                model, quantization, setting.threads(), longestPrompt, Confinement.NONE));
    engine.ifPresent(opened -> engines.put(subject, opened));
  }

  /// Hears each measurement.
  interface Listener {
    void onSpeed(String subject, double tokensPerSecond);
  }

  /// Hears of reads as well.
  interface DecodeListener extends Listener {
    /// What memory gave for as many bytes as the subject's file has, just before it was measured.
    void onBandwidth(String subject, double gigabytesPerSecond);
  }

  /// Peers warm up by themselves.
  void warmUp(int promptTokens) throws IOException {
    for (WeftEngine engine : engines.values()) {
      engine.prefill(promptTokens);
    }
  }

  /// One round: every subject once.
  void prefill(int tokens, Listener listener) throws IOException, InterruptedException {
    for (Map.Entry<String, WeftEngine> engine : engines.entrySet()) {
      listener.onSpeed(engine.getKey(), engine.getValue().prefill(tokens));
    }
    for (Peer peer : setting.peers()) {
      listener.onSpeed(peer.name(), peer(peer, new Amount(tokens, 0)).prefill());
    }
  }

  /// One turn: every subject once.
  void decode(int tokens, DecodeListener listener) throws IOException, InterruptedException {
    for (Map.Entry<String, WeftEngine> engine : engines.entrySet()) {
      listener.onBandwidth(engine.getKey(), ReadBandwidth.measure(setting.threads(), bytes));
      listener.onSpeed(engine.getKey(), engine.getValue().decode(tokens));
    }
    for (Peer peer : setting.peers()) {
      listener.onSpeed(peer.name(), peer(peer, new Amount(0, tokens)).decode());
    }
  }

  private LlamaBench.Speed peer(Peer peer, Amount amount) throws IOException, InterruptedException {
    return LlamaBench.run(peer, file, setting.threads(), amount, Confinement.NONE);
  }

  @Override
  public void close() {
    engines.values().forEach(WeftEngine::close);
  }
}
