package dev.weft.platform.e2e.cluster;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/// Real models for pods, which have no way to the hub: those that Weft has fetched on this machine.
final class ModelFiles {
  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
  private static final String SMOLLM2 = "SmolLM2-135M-Instruct.Q4_1.gguf";

  private ModelFiles() {}

  /// A directory that any user may read, with SmolLM2 in it.
  static Path smolLm2() throws IOException, InterruptedException {
    Path shared = Files.createDirectories(ROOT.resolve("platform/target/cluster/models"));
    Path copy = shared.resolve(SMOLLM2);
    if (!Files.exists(copy)) {
      Optional<Path> cached = cached();
      if (cached.isEmpty()) {
        fetch();
        cached = cached();
      }
      Path source = cached.orElseThrow(() -> new AssertionError("`weft up` fetched no " + SMOLLM2));
      Path part = Files.copy(source, shared.resolve("part"), StandardCopyOption.REPLACE_EXISTING);
      Files.move(part, copy, StandardCopyOption.ATOMIC_MOVE);
    }
    return shared;
  }

  private static Path home() {
    String set = System.getenv("WEFT_HOME");
    return set == null ? Path.of(System.getProperty("user.home"), ".weft") : Path.of(set);
  }

  private static Optional<Path> cached() throws IOException {
    Path models = home().resolve("cache/models");
    if (!Files.isDirectory(models)) {
      return Optional.empty();
    }
    try (Stream<Path> files = Files.walk(models)) {
      return files.filter(file -> file.endsWith(SMOLLM2)).sorted().findFirst();
    }
  }

  /// What is deployed at the first start of a home is fetched before it is said to be up.
  private static void fetch() throws IOException, InterruptedException {
    String weft = ROOT.resolve("weft").toString();
    for (List<String> command :
        List.of(List.of(weft, "up", "-d", "--port", "0"), List.of(weft, "down"))) {
      int exit = new ProcessBuilder(command).inheritIO().start().waitFor();
      if (exit != 0) {
        throw new AssertionError(command + " ends with " + exit);
      }
    }
  }

  /// Makes a namespace that lets restricted pods in and no others, with the models in a volume.
  static void provide(String namespace) throws IOException, InterruptedException {
    Kubectl.apply(
        """
        apiVersion: v1
        kind: Namespace
        metadata: {name: NAMESPACE, labels: {pod-security.kubernetes.io/enforce: restricted}}
        ---
        apiVersion: v1
        kind: PersistentVolume
        metadata: {name: NAMESPACE}
        spec:
          capacity: {storage: 1Gi}
          accessModes: [ReadOnlyMany]
          storageClassName: ""
          claimRef: {namespace: NAMESPACE, name: models}
          hostPath: {path: "MODELS", type: Directory}
        ---
        apiVersion: v1
        kind: PersistentVolumeClaim
        metadata: {namespace: NAMESPACE, name: models}
        spec:
          accessModes: [ReadOnlyMany]
          storageClassName: ""
          volumeName: NAMESPACE
          resources: {requests: {storage: 1Gi}}
        """
            .replace("NAMESPACE", namespace)
            .replace("MODELS", smolLm2().toString()));
  }
}
