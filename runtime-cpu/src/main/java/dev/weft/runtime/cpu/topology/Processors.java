package dev.weft.runtime.cpu.topology;

import dev.weft.runtime.server.CpuChoice;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/// The processors that this process may run on, and the NUMA nodes of the machine: parts of it
/// whose processors have memory of their own that is nearer to them than the rest.
///
/// @param allowed by affinity and cgroup, in order
/// @param nodes those that have processors, in order; one on most machines
/// @param cores sets of processors that share a core, of those cores that have several
public record Processors(List<Integer> allowed, List<Node> nodes, List<List<Integer>> cores) {
  public Processors {
    allowed = List.copyOf(allowed);
    nodes = List.copyOf(nodes);
    cores = List.copyOf(cores);
  }

  /// A part of the machine.
  ///
  /// @param cpus all of its processors, whoever may run on them
  public record Node(int id, List<Integer> cpus, long memoryBytes) {
    public Node {
      cpus = List.copyOf(cpus);
    }
  }

  /// What a device runs on.
  ///
  /// @param nodes on which its processors lie
  /// @param memoryShare of the machine's memory: as much as its processors are of their nodes
  /// @param halfCores processors whose core is shared with one that is not among them
  public record Chosen(
      List<Integer> cpus, List<Integer> nodes, double memoryShare, List<Integer> halfCores) {
    public Chosen {
      cpus = List.copyOf(cpus);
      nodes = List.copyOf(nodes);
      halfCores = List.copyOf(halfCores);
    }
  }

  /// What this process has now.
  public static Processors detect() {
    return read(Path.of("/"));
  }

  /// @param root where `proc` and `sys` lie; another than `/` in tests
  static Processors read(Path root) {
    List<Integer> allowed = allowed(root.resolve("proc/self/status"));
    List<Node> nodes = nodes(root.resolve("sys/devices/system/node"));
    if (nodes.isEmpty()) {
      // A kernel without NUMA, or a container that does not show it.
      nodes = List.of(new Node(0, allowed, 0));
    }
    return new Processors(allowed, nodes, cores(root.resolve("sys/devices/system/cpu"), allowed));
  }

  /// The processors that were asked for. Throws [IllegalArgumentException] when this process may
  /// not run on all of them: the system would leave some out without a word.
  public Chosen choose(CpuChoice choice) {
    return switch (choice) {
      case CpuChoice.Any() -> chosen(allowed);
      case CpuChoice.Listed(List<Integer> cpus) -> {
        List<Integer> forbidden = cpus.stream().filter(cpu -> !allowed.contains(cpu)).toList();
        if (!forbidden.isEmpty()) {
          throw new IllegalArgumentException(
              "--cpus names %s, and this process may run on %s only"
                  .formatted(CpuChoice.format(forbidden), CpuChoice.format(allowed)));
        }
        yield chosen(cpus);
      }
      case CpuChoice.OfNode(int id) -> {
        List<Integer> cpus =
            nodes.stream()
                .filter(node -> node.id() == id)
                .flatMap(node -> node.cpus().stream())
                .filter(allowed::contains)
                .toList();
        if (cpus.isEmpty()) {
          throw new IllegalArgumentException(
              "--cpus names node %d; this process may run on nodes %s"
                  .formatted(id, chosen(allowed).nodes()));
        }
        yield chosen(cpus);
      }
    };
  }

  private Chosen chosen(List<Integer> cpus) {
    List<Node> touched =
        nodes.stream().filter(node -> node.cpus().stream().anyMatch(cpus::contains)).toList();
    return new Chosen(
        cpus,
        touched.stream().map(Node::id).toList(),
        memoryShare(cpus),
        cpus.stream().filter(cpu -> isHalf(cpu, cpus)).toList());
  }

  /// Nodes without memory of their own, and those of which nothing is known, count by processors.
  private double memoryShare(List<Integer> cpus) {
    boolean known = nodes.stream().anyMatch(node -> node.memoryBytes() > 0);
    double share = 0;
    double all = 0;
    for (Node node : nodes) {
      List<Integer> usable = node.cpus().stream().filter(allowed::contains).toList();
      if (usable.isEmpty()) {
        continue;
      }
      double weight = known ? node.memoryBytes() : usable.size();
      all += weight;
      share += weight * usable.stream().filter(cpus::contains).count() / usable.size();
    }
    return all > 0 ? share / all : 1;
  }

  private boolean isHalf(int cpu, List<Integer> cpus) {
    return cores.stream().anyMatch(core -> core.contains(cpu) && !cpus.containsAll(core));
  }

  private static List<Integer> allowed(Path status) {
    String key = "Cpus_allowed_list:";
    return lines(status).stream()
        .filter(line -> line.startsWith(key))
        .map(line -> CpuChoice.parseList(line.substring(key.length()).strip()))
        .findFirst()
        .orElseThrow(() -> new IllegalStateException(status + " does not say " + key));
  }

  private static List<Node> nodes(Path directory) {
    List<Node> nodes = new ArrayList<>();
    try (DirectoryStream<Path> found = Files.newDirectoryStream(directory, "node[0-9]*")) {
      for (Path node : found) {
        int id = Integer.parseInt(String.valueOf(node.getFileName()).substring("node".length()));
        List<Integer> cpus = cpuList(node.resolve("cpulist"));
        // Memory without processors is nobody's neighbour.
        if (!cpus.isEmpty()) {
          nodes.add(new Node(id, cpus, memoryBytes(node.resolve("meminfo"))));
        }
      }
    } catch (NoSuchFileException e) {
      return List.of();
    } catch (IOException e) {
      throw new IllegalStateException("cannot read " + directory, e);
    }
    nodes.sort(Comparator.comparingInt(Node::id));
    return nodes;
  }

  private static long memoryBytes(Path meminfo) {
    // "Node 0 MemTotal:       16000 kB"
    return lines(meminfo).stream()
        .filter(line -> line.contains("MemTotal:"))
        .map(line -> line.substring(line.indexOf(':') + 1).replaceAll("[^0-9]", ""))
        .mapToLong(digits -> Long.parseLong(digits) * 1024)
        .findFirst()
        .orElse(0);
  }

  private static List<List<Integer>> cores(Path directory, List<Integer> allowed) {
    List<List<Integer>> cores = new ArrayList<>();
    for (int cpu : allowed) {
      Path siblings = directory.resolve("cpu" + cpu).resolve("topology/thread_siblings_list");
      // Of what others may run on, nothing can be left out.
      List<Integer> core = cpuList(siblings).stream().filter(allowed::contains).toList();
      if (core.size() > 1 && !cores.contains(core)) {
        cores.add(core);
      }
    }
    return cores;
  }

  private static List<Integer> cpuList(Path file) {
    String list = String.join("", lines(file)).strip();
    return list.isEmpty() ? List.of() : CpuChoice.parseList(list);
  }

  /// A file's lines; none when it cannot be read: what is not there is not known.
  static List<String> lines(Path file) {
    try {
      return Files.readAllLines(file);
    } catch (IOException e) {
      return List.of();
    }
  }
}
