package dev.weft.platform.e2e.cluster;

import com.fasterxml.jackson.databind.JsonNode;
import dev.weft.platform.e2e.cluster.Connections.Connection;
import dev.weft.platform.e2e.cluster.Connections.End;
import java.util.Locale;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/// What the NetworkPolicies of the release let pass, by the rules of Kubernetes: a pod that a
/// policy selects has the connections that some policy allows, and no others. Pods are selected by
/// labels, others by addresses; the chart uses nothing else.
///
/// @param policies the objects
record NetworkPolicies(JsonNode policies) {
  static NetworkPolicies ofRelease() {
    return new NetworkPolicies(Release.get("networkpolicies").path("items"));
  }

  /// Whether both ends may have it.
  boolean allow(Connection connection) {
    // A node may always reach its own pods.
    boolean comes = connection.from().isNode() || allow("Ingress", connection);
    return comes && allow("Egress", connection);
  }

  private boolean allow(String direction, Connection connection) {
    boolean ingress = direction.equals("Ingress");
    End mine = ingress ? connection.to() : connection.from();
    End other = ingress ? connection.from() : connection.to();
    boolean selected = false;
    for (JsonNode policy : policies) {
      JsonNode spec = policy.path("spec");
      if (mine.isPod()
          && has(spec.path("policyTypes"), direction)
          && selects(spec.path("podSelector"), mine)) {
        selected = true;
        for (JsonNode rule : spec.path(direction.toLowerCase(Locale.ROOT))) {
          if (peer(rule.path(ingress ? "from" : "to"), other)
              && port(rule.path("ports"), connection)) {
            return true;
          }
        }
      }
    }
    return !selected;
  }

  private static boolean has(JsonNode values, String value) {
    return elements(values).anyMatch(each -> each.asText().equals(value));
  }

  private static boolean selects(JsonNode selector, End end) {
    return end.isPod()
        && selector.path("matchLabels").properties().stream()
            .allMatch(label -> label.getValue().equals(end.labels().path(label.getKey())));
  }

  /// No peers are all.
  private static boolean peer(JsonNode peers, End end) {
    return peers.isEmpty()
        || elements(peers)
            .anyMatch(peer ->
                peer.has("ipBlock")
                    ? within(peer.path("ipBlock"), end)
                    : selects(peer.path("podSelector"), end));
  }

  private static boolean within(JsonNode block, End end) {
    return within(block.path("cidr").asText(), end.address())
        && elements(block.path("except")).noneMatch(each -> within(each.asText(), end.address()));
  }

  private static boolean within(String block, String address) {
    int slash = block.indexOf('/');
    int outside = 32 - Integer.parseInt(block.substring(slash + 1));
    return number(block.substring(0, slash)) >> outside == number(address) >> outside;
  }

  private static long number(String address) {
    long number = 0;
    for (String part : address.split("\\.", -1)) {
      number = number << 8 | Integer.parseInt(part);
    }
    return number;
  }

  /// No ports are all.
  private static boolean port(JsonNode ports, Connection connection) {
    return ports.isEmpty()
        || elements(ports)
            .anyMatch(port ->
                port.path("protocol").asText("TCP").equals(connection.protocol())
                    && number(port.path("port"), connection.to()) == connection.port());
  }

  /// A port may be named by the pod that has it.
  private static int number(JsonNode port, End end) {
    if (port.isInt()) {
      return port.asInt();
    }
    return elements(end.pod().at("/spec/containers/0/ports"))
        .filter(named -> named.path("name").equals(port))
        .mapToInt(named -> named.path("containerPort").asInt())
        .findFirst()
        .orElse(0);
  }

  private static Stream<JsonNode> elements(JsonNode array) {
    return StreamSupport.stream(array.spliterator(), false);
  }
}
