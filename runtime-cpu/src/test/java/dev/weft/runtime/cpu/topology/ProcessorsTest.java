package dev.weft.runtime.cpu.topology;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.runtime.server.CpuChoice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Machines as Linux describes them in `/proc` and `/sys`.
class ProcessorsTest {
  private static final CpuChoice ANY = new CpuChoice.Any();

  @TempDir private Path root;

  private void write(String path, String content) throws IOException {
    Path file = root.resolve(path);
    Files.createDirectories(file.resolveSibling("."));
    Files.writeString(file, content);
  }

  private void allow(String cpus) throws IOException {
    write(
        "proc/self/status",
        "Name:\tjava\nCpus_allowed:\tff\nCpus_allowed_list:\t%s\n".formatted(cpus));
  }

  private void node(int id, String cpus, long gigabytes) throws IOException {
    String directory = "sys/devices/system/node/node%d/".formatted(id);
    write(directory + "cpulist", cpus + "\n");
    write(
        directory + "meminfo",
        "Node %d MemTotal:       %d kB\nNode %d MemFree: 1 kB\n"
            .formatted(id, gigabytes << 20, id));
  }

  private void siblings(int cpu, String list) throws IOException {
    write("sys/devices/system/cpu/cpu%d/topology/thread_siblings_list".formatted(cpu), list + "\n");
  }

  private Processors.Chosen choose(CpuChoice choice) {
    return Processors.read(root).choose(choice);
  }

  private Processors.Chosen choose(String cpus) {
    return choose(CpuChoice.parse(cpus));
  }

  @Test
  void oneNodeGivesAllOfItsProcessors() throws IOException {
    allow("0-3");
    node(0, "0-3", 16);
    Processors.Chosen all = choose(ANY);
    assertThat(all.cpus()).containsExactly(0, 1, 2, 3);
    assertThat(all.nodes()).containsExactly(0);
    assertThat(all.memoryShare()).isEqualTo(1);
    assertThat(choose("1-3").memoryShare()).isEqualTo(0.75);
  }

  @Test
  void machineThatShowsNoNodesIsOne() throws IOException {
    allow("2,5");
    assertThat(choose(ANY))
        .isEqualTo(choose("node:0"))
        .extracting(Processors.Chosen::memoryShare)
        .isEqualTo(1.0);
    assertThat(choose("5").memoryShare()).isEqualTo(0.5);
  }

  @Test
  void nodeBringsItsProcessorsAndItsMemory() throws IOException {
    allow("0-7");
    node(0, "0-3", 48);
    node(1, "4-7", 16);
    assertThat(choose("node:1").cpus()).containsExactly(4, 5, 6, 7);
    assertThat(choose("node:1").nodes()).containsExactly(1);
    assertThat(choose("node:1").memoryShare()).isEqualTo(0.25);
    assertThat(choose("0-1,4").nodes()).containsExactly(0, 1);
    assertThat(choose("0-1,4").memoryShare()).isEqualTo(0.75 / 2 + 0.25 / 4);
    assertThat(choose(ANY).nodes()).containsExactly(0, 1);
    assertThatThrownBy(() -> choose("node:2"))
        .hasMessage("--cpus names node 2; this process may run on nodes [0, 1]");
  }

  @Test
  void memoryWithoutProcessorsIsNoNode() throws IOException {
    allow("0-1");
    node(0, "0-1", 16);
    node(1, "", 512);
    assertThat(choose(ANY).nodes()).containsExactly(0);
    assertThat(choose(ANY).memoryShare()).isEqualTo(1);
  }

  @Test
  void cpusetOfACgroupIsTheWholeMachine() throws IOException {
    allow("2-3,6");
    node(0, "0-3", 16);
    node(1, "4-7", 16);
    assertThat(choose(ANY).cpus()).containsExactly(2, 3, 6);
    assertThat(choose(ANY).memoryShare()).isEqualTo(1);
    assertThat(choose("node:1").cpus()).containsExactly(6);
    assertThat(choose("node:1").memoryShare()).isEqualTo(0.5);
    assertThatThrownBy(() -> choose("1-4"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("--cpus names 1,4, and this process may run on 2-3,6 only");
  }

  @Test
  void halvesOfCoresAreNoticed() throws IOException {
    allow("0-3");
    node(0, "0-3", 16);
    for (int cpu = 0; cpu < 4; cpu++) {
      siblings(cpu, cpu % 2 + "," + (cpu % 2 + 2));
    }
    assertThat(choose(ANY).halfCores()).isEmpty();
    assertThat(choose("0,2").halfCores()).isEmpty();
    assertThat(choose("0-2").halfCores()).containsExactly(1);
    allow("0-1");
    assertThat(choose("0").halfCores()).as("its sibling is not this process's").isEmpty();
  }

  @Test
  void thisMachineCanBeRead() {
    Processors here = Processors.detect();
    assertThat(here.allowed()).isNotEmpty();
    assertThat(here.choose(ANY).cpus()).isEqualTo(here.allowed());
    assertThat(here.choose(ANY).memoryShare()).isEqualTo(1);
  }
}
