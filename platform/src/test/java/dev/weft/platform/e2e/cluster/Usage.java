package dev.weft.platform.e2e.cluster;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;

/// What a pod's process has taken of the node.
///
/// @param resident bytes that it has now
/// @param peak the most that it has had
/// @param processor time that it has computed
record Usage(long resident, long peak, Duration processor) {
  private static final int UTIME = 13;
  private static final int STIME = 14;

  /// Of a clock that all kernels show processes in hundredths of a second.
  private static final Duration TICK = Duration.ofMillis(10);

  static Usage of(String pod) {
    JsonNode container = Release.get("pod", pod).at("/status/containerStatuses/0");
    String process =
        Node.process(container.path("containerID").asText().replace("containerd://", ""));
    String status = Node.enter("cat", "/proc/%s/status".formatted(process));
    String[] stat = Node.enter("cat", "/proc/%s/stat".formatted(process)).split(" ", -1);
    return new Usage(
        bytes(status, "VmRSS:"),
        bytes(status, "VmHWM:"),
        TICK.multipliedBy(Long.parseLong(stat[UTIME]) + Long.parseLong(stat[STIME])));
  }

  private static long bytes(String status, String member) {
    String line = status.lines().filter(each -> each.startsWith(member)).findFirst().orElseThrow();
    return Long.parseLong(line.replaceAll("\\D", "")) << 10;
  }

  String told() {
    return "%d MiB (at most %d), %.1f s of processor"
        .formatted(resident >> 20, peak >> 20, processor.toMillis() / 1e3);
  }
}
