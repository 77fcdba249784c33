package dev.weft.platform.e2e.cluster;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;

/// What one service account of the release has asked the cluster's API for, as the API server has
/// written it down.
///
/// @param events the API server's records, one a request
record AuditLog(List<JsonNode> events) {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int CREATED = 201;
  private static final int FORBIDDEN = 403;

  /// One verb on one kind of object.
  record Access(String group, String resource, String verb) implements Comparable<Access> {
    @Override
    public int compareTo(Access other) {
      return toString().compareTo(other.toString());
    }

    @Override
    public String toString() {
      return "%s %s%s".formatted(verb, resource, group.isEmpty() ? "" : "." + group);
    }
  }

  /// What an account has asked for since `begin`.
  static AuditLog of(String account, Instant begin) {
    String user = "system:serviceaccount:%s:%s".formatted(Release.NAMESPACE, account);
    List<JsonNode> events = new ArrayList<>();
    // It is begun anew when it has grown large.
    try (Stream<Path> files = Files.list(Node.logs())) {
      for (Path file : files.filter(AuditLog::isOne).toList()) {
        try (Stream<String> lines = Files.lines(file)) {
          // Most are of others, and cost no parsing.
          lines
              .filter(line -> line.contains(user))
              .map(AuditLog::parse)
              .filter(event -> event.at("/user/username").asText().equals(user))
              .filter(event -> !at(event).isBefore(begin))
              .forEach(events::add);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return new AuditLog(events);
  }

  private static boolean isOne(Path file) {
    return file.getFileName().toString().startsWith("audit");
  }

  private static Instant at(JsonNode event) {
    return Instant.parse(event.path("requestReceivedTimestamp").asText());
  }

  private static JsonNode parse(String line) {
    try {
      return JSON.readTree(line);
    } catch (IOException e) {
      throw new UncheckedIOException(line, e);
    }
  }

  /// Requests that it had no right to.
  List<String> refused() {
    return events.stream()
        .filter(event -> code(event) == FORBIDDEN)
        .map(event ->
            "%s %s: %s"
                .formatted(
                    event.path("verb").asText(),
                    event.path("requestURI").asText(),
                    event.at("/responseStatus/message").asText()))
        .toList();
  }

  private static int code(JsonNode event) {
    return event.at("/responseStatus/code").asInt();
  }

  /// What its Role let it do. An apply that makes an object needs `create` beside `patch`.
  Set<Access> used() {
    Set<Access> used = new TreeSet<>();
    for (JsonNode event : events) {
      String reason = event.at("/annotations/authorization.k8s.io~1reason").asText();
      if (code(event) != FORBIDDEN && reason.contains(" of Role ")) {
        JsonNode object = event.path("objectRef");
        String part = object.path("subresource").asText();
        String resource = object.path("resource").asText() + (part.isEmpty() ? "" : "/" + part);
        String group = object.path("apiGroup").asText();
        used.add(new Access(group, resource, event.path("verb").asText()));
        if (code(event) == CREATED) {
          used.add(new Access(group, resource, "create"));
        }
      }
    }
    return used;
  }

  /// What a Role of the release grants.
  static Set<Access> granted(String role) {
    Set<Access> granted = new TreeSet<>();
    for (JsonNode rule : Release.get("role", role).path("rules")) {
      for (JsonNode group : rule.path("apiGroups")) {
        for (JsonNode resource : rule.path("resources")) {
          for (JsonNode verb : rule.path("verbs")) {
            granted.add(new Access(group.asText(), resource.asText(), verb.asText()));
          }
        }
      }
    }
    return granted;
  }
}
