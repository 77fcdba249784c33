package dev.weft.runtime.server;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/// The processors that a runtime is told to run on.
public sealed interface CpuChoice {
  /// The highest number that Linux gives.
  int MAX_CPU = 8_191;

  String NODE = "node:";

  /// Whatever the process may run on.
  record Any() implements CpuChoice {}

  /// These, in order.
  record Listed(List<Integer> cpus) implements CpuChoice {
    public Listed {
      cpus = List.copyOf(cpus);
    }
  }

  /// Those of a NUMA node.
  record OfNode(int node) implements CpuChoice {}

  /// What `--cpus` says: `0-3,8`, or `node:1`. Throws [IllegalArgumentException] for anything else.
  static CpuChoice parse(String value) {
    return value.startsWith(NODE)
        ? new OfNode(number(value.substring(NODE.length())))
        : new Listed(parseList(value));
  }

  /// Processors as Linux writes them, `0-3,8`; sorted, each once.
  static List<Integer> parseList(String list) {
    var cpus = new TreeSet<Integer>();
    for (String range : list.split(",", -1)) {
      String[] ends = range.split("-", 2);
      int first = number(ends[0]);
      int last = ends.length == 1 ? first : number(ends[1]);
      if (last < first) {
        throw new IllegalArgumentException("'%s' ends before it begins".formatted(range));
      }
      for (int cpu = first; cpu <= last; cpu++) {
        cpus.add(cpu);
      }
    }
    return List.copyOf(cpus);
  }

  /// The other way round, for sorted processors.
  static String format(List<Integer> cpus) {
    List<String> ranges = new ArrayList<>();
    for (int i = 0; i < cpus.size(); ) {
      int end = i + 1;
      while (end < cpus.size() && cpus.get(end) == cpus.get(end - 1) + 1) {
        end++;
      }
      ranges.add(end == i + 1 ? cpus.get(i).toString() : cpus.get(i) + "-" + cpus.get(end - 1));
      i = end;
    }
    return String.join(",", ranges);
  }

  private static int number(String digits) {
    if (digits.matches("[0-9]{1,4}") && Integer.parseInt(digits) <= MAX_CPU) {
      return Integer.parseInt(digits);
    }
    throw new IllegalArgumentException("'%s' is not a number up to %d".formatted(digits, MAX_CPU));
  }
}
