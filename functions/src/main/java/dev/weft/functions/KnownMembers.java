package dev.weft.functions;

import com.fasterxml.jackson.databind.JsonNode;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/// Refuses members that a record does not have, before anything else is said about a manifest: a
/// misspelt `source` is then not reported as a missing `sources`.
final class KnownMembers {
  private KnownMembers() {}

  /// Walks a tree beside the records that it is to become.
  static void check(JsonNode node, Type type, String path) {
    if (type instanceof ParameterizedType list && node.isArray()) {
      for (int i = 0; i < node.size(); i++) {
        check(node.get(i), list.getActualTypeArguments()[0], "%s[%d]".formatted(path, i));
      }
    } else if (type instanceof Class<?> record && record.isRecord() && node.isObject()) {
      node.properties()
          .forEach(member -> checkMember(member.getKey(), member.getValue(), record, path));
    }
  }

  private static void checkMember(String name, JsonNode value, Class<?> record, String path) {
    String memberPath = path.isEmpty() ? name : path + "." + name;
    RecordComponent component =
        Arrays.stream(record.getRecordComponents())
            .filter(candidate -> candidate.getName().equals(name))
            .findFirst()
            .orElseThrow(() -> new InvalidManifestException(memberPath, unknown(name, record)));
    check(value, component.getGenericType(), memberPath);
  }

  private static String unknown(String name, Class<?> record) {
    List<String> known =
        Arrays.stream(record.getRecordComponents()).map(RecordComponent::getName).toList();
    return known.stream()
        .min(Comparator.comparingInt(candidate -> distance(name, candidate)))
        .filter(nearest -> distance(name, nearest) <= Math.max(2, name.length() / 3))
        .map("not known; did you mean '%s'?"::formatted)
        .orElseGet(() -> "not known; known here are " + known);
  }

  /// Levenshtein's edit distance, ignoring case.
  static int distance(String a, String b) {
    String from = a.toLowerCase(Locale.ROOT);
    String to = b.toLowerCase(Locale.ROOT);
    int[] previous = new int[to.length() + 1];
    Arrays.setAll(previous, j -> j);
    for (int i = 1; i <= from.length(); i++) {
      int[] current = new int[to.length() + 1];
      current[0] = i;
      for (int j = 1; j <= to.length(); j++) {
        int change = from.charAt(i - 1) == to.charAt(j - 1) ? 0 : 1;
        current[j] = Math.min(previous[j - 1] + change, 1 + Math.min(previous[j], current[j - 1]));
      }
      previous = current;
    }
    return previous[to.length()];
  }
}
