package dev.weft.runtime.cpu.topology;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CpuTopologyTest {
  @TempDir private Path root;

  @BeforeEach
  void machine() throws IOException {
    write("proc/meminfo", "MemTotal:       16000 kB\nMemFree: 1 kB\nMemAvailable:   10000 kB\n");
    write("proc/cpuinfo", "processor : 0\nmodel name\t: Some Processor 9000\n");
  }

  private void write(String path, String content) throws IOException {
    Path file = root.resolve(path);
    Files.createDirectories(file.resolveSibling("."));
    Files.writeString(file, content);
  }

  @Test
  void takesTheMachineWithoutLimits() {
    CpuTopology topology = CpuTopology.read(root, 7);
    assertThat(topology)
        .isEqualTo(new CpuTopology(7, 16_384_000, 10_240_000, "Some Processor 9000"));
    assertThat(topology.defaultCapacityBytes(0.5)).isEqualTo(4_096_000);
  }

  @Test
  void takesTheLimitOfACgroup() throws IOException {
    write("proc/self/cgroup", "0::/a/b\n");
    write("sys/fs/cgroup/a/b/memory.max", "4096000\n");
    write("sys/fs/cgroup/a/b/memory.current", "1000000\n");
    CpuTopology topology = CpuTopology.read(root, 2);
    assertThat(topology.memoryBytes()).isEqualTo(4_096_000);
    assertThat(topology.availableBytes()).isEqualTo(3_096_000);
  }

  @Test
  void takesTheLimitOfAContainer() throws IOException {
    write("proc/self/cgroup", "0::/elsewhere/on/the/host\n");
    write("sys/fs/cgroup/memory.max", "4096000\n");
    assertThat(CpuTopology.read(root, 2).memoryBytes()).isEqualTo(4_096_000);
  }

  @Test
  void takesTheLimitOfACgroupOfVersion1() throws IOException {
    write("proc/self/cgroup", "5:cpu,cpuacct:/x\n3:memory:/x\n");
    write("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "2048000\n");
    assertThat(CpuTopology.read(root, 2).memoryBytes()).isEqualTo(2_048_000);
  }

  @Test
  void ignoresACgroupWithoutLimit() throws IOException {
    write("proc/self/cgroup", "0::/\n");
    write("sys/fs/cgroup/memory.max", "max\n");
    assertThat(CpuTopology.read(root, 2).memoryBytes()).isEqualTo(16_384_000);
    write("proc/self/cgroup", "3:memory:/\n");
    write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    assertThat(CpuTopology.read(root, 2).memoryBytes()).isEqualTo(16_384_000);
  }

  @Test
  void knowsThisMachine() {
    CpuTopology topology = CpuTopology.detect();
    assertThat(topology.processors()).isPositive();
    assertThat(topology.availableBytes()).isBetween(1L << 20, topology.memoryBytes());
  }
}
