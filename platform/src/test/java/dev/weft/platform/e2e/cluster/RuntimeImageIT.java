package dev.weft.platform.e2e.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// The CPU runtime's image in a namespace that lets restricted pods in and no others: as nobody,
/// with a root file system that cannot be written, a model from a volume, called by its service.
@Tag("cluster")
final class RuntimeImageIT {
  private static final String NAMESPACE = "runtime-image";
  private static final String SECRET = "a-secret-of-this-test-alone";
  private static final ObjectMapper JSON = new ObjectMapper();

  @BeforeAll
  static void deploy() throws IOException, InterruptedException {
    ModelFiles.provide(NAMESPACE);
    Kubectl.apply(
        """
        apiVersion: v1
        kind: Secret
        metadata: {namespace: NAMESPACE, name: runtime}
        stringData: {secret: "SECRET"}
        ---
        apiVersion: v1
        kind: ConfigMap
        metadata: {namespace: NAMESPACE, name: functions}
        data:
          smollm2.yaml: |
            apiVersion: weft.dev/v1alpha1
            kind: Function
            metadata: {name: smollm2}
            spec:
              model:
                kind: generation
                sources: ["file:/models/SmolLM2-135M-Instruct.Q4_1.gguf"]
        ---
        apiVersion: apps/v1
        kind: Deployment
        metadata: {namespace: NAMESPACE, name: runtime}
        spec:
          selector: {matchLabels: {app: runtime}}
          template:
            metadata: {labels: {app: runtime}}
            spec:
              automountServiceAccountToken: false
              securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
              containers:
                - name: runtime
                  image: weft/runtime-cpu:VERSION
                  imagePullPolicy: Never
                  args: [--secret-file, /secret/secret, --function, /functions/smollm2.yaml]
                  env: [{name: JDK_JAVA_OPTIONS, value: -Xmx256m}]
                  ports: [{containerPort: 8080}]
                  readinessProbe: {httpGet: {path: /health, port: 8080}, periodSeconds: 1}
                  resources: {requests: {cpu: 100m}, limits: {cpu: "2", memory: 2Gi}}
                  securityContext:
                    allowPrivilegeEscalation: false
                    readOnlyRootFilesystem: true
                    capabilities: {drop: [ALL]}
                  volumeMounts:
                    - {name: models, mountPath: /models, readOnly: true}
                    - {name: functions, mountPath: /functions}
                    - {name: secret, mountPath: /secret}
                    - {name: home, mountPath: /var/lib/weft}
                    - {name: temporary, mountPath: /tmp}
              volumes:
                - {name: models, persistentVolumeClaim: {claimName: models, readOnly: true}}
                - {name: functions, configMap: {name: functions}}
                - {name: secret, secret: {secretName: runtime}}
                - {name: home, emptyDir: {}}
                - {name: temporary, emptyDir: {}}
        ---
        apiVersion: v1
        kind: Service
        metadata: {namespace: NAMESPACE, name: runtime}
        spec:
          selector: {app: runtime}
          ports: [{port: 80, targetPort: 8080}]
        """
            .replace("NAMESPACE", NAMESPACE)
            .replace("SECRET", SECRET)
            .replace("VERSION", System.getProperty("weft.version", "")));
  }

  @AfterAll
  static void remove() {
    Kubectl.succeed("delete", "namespace/" + NAMESPACE, "--ignore-not-found");
    Kubectl.succeed("delete", "persistentvolume/" + NAMESPACE, "--ignore-not-found");
  }

  @Test
  void nodeIsReady() {
    Kubectl.succeed("wait", "node", "--all", "--for=condition=Ready", "--timeout=30s");
  }

  @Test
  void serviceAnswersAChat() {
    awaitRuntime();
    String body =
        "{\"model\":\"smollm2\",\"max_tokens\":8,\"temperature\":0,"
            + "\"messages\":[{\"role\":\"user\",\"content\":\"Say hello.\"}]}";
    Kubectl.await(
        Duration.ofMinutes(2), "the model is ready", () -> chat(body).statusCode() == 200);
    JsonNode answer = parse(chat(body).body());
    assertThat(answer.path("choices").path(0).path("message").path("content").asText())
        .isNotBlank();
    assertThat(answer.path("usage").path("completion_tokens").asInt()).isBetween(1, 8);
  }

  @Test
  void containerRunsAsTheImagesUserAndHasNotBeenStartedAgain() {
    awaitRuntime();
    JsonNode pod = Kubectl.get("pods", "-n", NAMESPACE, "-l", "app=runtime").path("items").path(0);
    JsonNode container = pod.path("status").path("containerStatuses").path(0);
    assertThat(container.path("restartCount").asInt()).isZero();
    assertThat(container.path("user").path("linux").path("uid").asInt(65_532)).isEqualTo(65_532);
  }

  @Test
  void namesAreResolved() {
    String name = "runtime.%s.svc.cluster.local".formatted(NAMESPACE);
    // The name server learns of a service as everybody does: a moment later.
    Kubectl.await(
        Duration.ofSeconds(30),
        name + " is known",
        () -> NameServer.resolve(name).equals(Optional.of(address())));
    assertThat(NameServer.resolve("nobody." + name)).isEmpty();
  }

  @Test
  void podThatIsNotRestrictedIsRefused() {
    var result =
        Kubectl.attempt(
            "", "run", "-n", NAMESPACE, "root", "--image=weft.dev/pause:1", "--restart=Never");
    assertThat(result.exit()).isNotZero();
    assertThat(result.err()).contains("violates PodSecurity \"restricted");
  }

  private static void awaitRuntime() {
    Kubectl.succeed("rollout", "status", "-n", NAMESPACE, "deployment/runtime", "--timeout=120s");
  }

  private static String address() {
    return Kubectl.get("service", "-n", NAMESPACE, "runtime")
        .path("spec")
        .path("clusterIP")
        .asText();
  }

  private static HttpResponse<String> chat(String body) {
    try (HttpClient client = HttpClient.newHttpClient()) {
      return client.send(
          HttpRequest.newBuilder(URI.create("http://" + address() + "/v1/chat/completions"))
              .header("authorization", "Bearer " + SECRET)
              .header("content-type", "application/json")
              .timeout(Duration.ofMinutes(1))
              .POST(BodyPublishers.ofString(body))
              .build(),
          BodyHandlers.ofString());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  private static JsonNode parse(String text) {
    try {
      return JSON.readTree(text);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
