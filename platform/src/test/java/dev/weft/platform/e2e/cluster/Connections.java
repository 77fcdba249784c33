package dev.weft.platform.e2e.cluster;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Connections that begin or end at pods of the release, by the table that the node's kernel keeps
/// of those which are open or were lately.
final class Connections {
  /// Addresses that the node has: the cluster's network has it, and its side of every pod's link.
  private static final List<String> NODE = List.of("198.18.0.2", "198.18.64.1");

  /// Pods have such addresses.
  private static final Pattern POD =
      Pattern.compile("198\\.18\\.(6[4-9]|[7-9]\\d|1[01]\\d|12[0-7])\\.\\d+");

  private static final Pattern MEMBER = Pattern.compile("\\b(src|dst|sport|dport)=(\\S+)");

  private Connections() {}

  /// One end: a pod, or who has the address.
  ///
  /// @param pod missing where it is none of the release's
  record End(String address, JsonNode pod) {
    boolean isPod() {
      return !pod.isMissingNode();
    }

    boolean isNode() {
      return NODE.contains(address);
    }

    /// Whether it was a pod that is gone, and nobody knows of what kind.
    boolean isGone() {
      return !isPod() && !isNode() && POD.matcher(address).matches();
    }

    JsonNode labels() {
      return pod.at("/metadata/labels");
    }

    @Override
    public String toString() {
      return isPod()
          ? labels().path("app.kubernetes.io/component").asText()
          : isNode() ? "node" : address;
    }
  }

  /// A connection to a port, as it is behind the Service that it was made to.
  ///
  /// @param protocol as Kubernetes writes it, such as `TCP`
  record Connection(End from, End to, String protocol, int port) implements Comparable<Connection> {
    /// The same, made by the other end.
    Connection reversed() {
      return new Connection(to, from, protocol, port);
    }

    @Override
    public int compareTo(Connection other) {
      return toString().compareTo(other.toString());
    }

    @Override
    public String toString() {
      return "%s to %s %d/%s".formatted(from, to, port, protocol);
    }
  }

  /// One of each kind.
  static Set<Connection> ofPods() {
    Map<String, JsonNode> pods = new HashMap<>();
    Release.get("pods", "-l", "app.kubernetes.io/instance=weft")
        .path("items")
        .forEach(pod -> pods.put(pod.at("/status/podIP").asText(), pod));
    Set<Connection> found = new TreeSet<>();
    for (String line : Node.enter("cat", "/proc/net/nf_conntrack").lines().toList()) {
      Connection connection = connection(line, pods);
      boolean known = !connection.from().isGone() && !connection.to().isGone();
      if (known && (connection.from().isPod() || connection.to().isPod())) {
        found.add(connection);
      }
    }
    return found;
  }

  /// A line tells of both directions; the second is what the other end answers, and so who it is.
  private static Connection connection(String line, Map<String, JsonNode> pods) {
    Map<String, List<String>> members = new HashMap<>();
    Matcher member = MEMBER.matcher(line);
    while (member.find()) {
      members.computeIfAbsent(member.group(1), _ -> new ArrayList<>()).add(member.group(2));
    }
    List<String> from = members.getOrDefault("src", List.of("", ""));
    List<String> port = members.getOrDefault("sport", List.of("0", "0"));
    return new Connection(
        end(from.getFirst(), pods),
        end(from.getLast(), pods),
        line.split("\\s+", -1)[2].toUpperCase(Locale.ROOT),
        Integer.parseInt(port.getLast()));
  }

  private static End end(String address, Map<String, JsonNode> pods) {
    return new End(address, pods.getOrDefault(address, MissingNode.getInstance()));
  }
}
