package dev.weft.functions;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.w3c.dom.Element;
import org.w3c.dom.Node;
import org.w3c.dom.NodeList;

/// The edges between the modules, over the whole source tree:
///
/// ```
/// functions <- autoscaler <- platform
/// functions <- runtime-core <- runtime-cpu | runtime-gpu
/// ```
///
/// The runtime may use the part of the autoscaler by which it admits and steps; platform and
/// runtimes meet over HTTP only.
class ModuleEdgesTest {
  private static final Path ROOT = Path.of("..");
  private static final Pattern OWN_IMPORT =
      Pattern.compile("^import (?:static )?dev\\.weft\\.([a-z]+(?:\\.[a-z]+)*)", Pattern.MULTILINE);
  private static final Set<String> RUNTIME_AUTOSCALER =
      Set.of(
          "autoscaler.admission",
          "autoscaler.memory",
          "autoscaler.profile",
          "autoscaler.scheduling");

  /// By module: the modules of ours that its production code may be compiled against.
  private static final Map<String, Set<String>> EDGES =
      Map.of(
          "functions", Set.of(),
          "autoscaler", Set.of("functions"),
          "runtime-core", Set.of("functions", "autoscaler"),
          "runtime-cpu", Set.of("functions", "autoscaler", "runtime-core"),
          "runtime-gpu", Set.of("functions", "autoscaler", "runtime-core"),
          "platform", Set.of("functions", "autoscaler"));

  /// By module: the packages of ours that its production code may import.
  private static final Map<String, Set<String>> PACKAGES =
      Map.of(
          "functions", Set.of("functions"),
          "autoscaler", Set.of("functions", "autoscaler"),
          "runtime-core", with(RUNTIME_AUTOSCALER, "functions", "runtime"),
          "runtime-cpu", with(RUNTIME_AUTOSCALER, "functions", "runtime"),
          "runtime-gpu", with(RUNTIME_AUTOSCALER, "functions", "runtime"),
          "platform", Set.of("functions", "autoscaler", "platform"));

  @Test
  void coversEveryModule() throws Exception {
    Set<String> modules = new TreeSet<>();
    for (Element module : elements(ROOT.resolve("pom.xml"), "module")) {
      modules.add(module.getTextContent());
    }
    modules.remove("bench");
    assertThat(EDGES.keySet()).isEqualTo(modules);
    assertThat(PACKAGES.keySet()).isEqualTo(modules);
  }

  @ParameterizedTest
  @MethodSource("modules")
  void isCompiledAgainstItsEdgesOnly(String module) throws Exception {
    Set<String> used = new TreeSet<>();
    for (Element dependency : elements(ROOT.resolve(module).resolve("pom.xml"), "dependency")) {
      String artifact = child(dependency, "artifactId");
      if (child(dependency, "groupId").equals("dev.weft")
          && !child(dependency, "scope").equals("test")) {
        used.add(artifact.replaceFirst("^weft-", ""));
      }
    }
    assertThat(EDGES.get(module)).containsAll(used);
  }

  @ParameterizedTest
  @MethodSource("modules")
  void importsItsOwnAndLowerPackagesOnly(String module) throws IOException {
    Set<String> packages = requireNonNull(PACKAGES.get(module));
    Map<Path, Set<String>> strangers = new TreeMap<>();
    for (Path file : sources(module)) {
      Set<String> named =
          OWN_IMPORT
              .matcher(Files.readString(file))
              .results()
              .map((MatchResult match) -> match.group(1))
              .filter(name -> packages.stream().noneMatch(allowed -> within(name, allowed)))
              .collect(Collectors.toCollection(TreeSet::new));
      if (!named.isEmpty()) {
        strangers.put(file, named);
      }
    }
    assertThat(strangers).isEmpty();
  }

  static List<String> modules() {
    return EDGES.keySet().stream().sorted().toList();
  }

  private static boolean within(String name, String allowed) {
    return name.equals(allowed) || name.startsWith(allowed + ".");
  }

  private static List<Path> sources(String module) throws IOException {
    Path folder = ROOT.resolve(module).resolve("src/main/java");
    try (Stream<Path> files = Files.walk(folder)) {
      List<Path> sources = files.filter(file -> file.toString().endsWith(".java")).toList();
      assertThat(sources).as("sources of %s", module).isNotEmpty();
      return sources;
    }
  }

  private static List<Element> elements(Path pom, String name) throws Exception {
    NodeList nodes =
        DocumentBuilderFactory.newInstance()
            .newDocumentBuilder()
            .parse(pom.toFile())
            .getElementsByTagName(name);
    return Stream.iterate(0, i -> i < nodes.getLength(), i -> i + 1)
        .map(i -> (Element) nodes.item(i))
        .toList();
  }

  private static String child(Element parent, String name) {
    Node node = parent.getElementsByTagName(name).item(0);
    return node == null ? "" : node.getTextContent();
  }

  private static Set<String> with(Set<String> some, String... more) {
    Set<String> all = new HashSet<>(some);
    all.addAll(List.of(more));
    return Set.copyOf(all);
  }
}
