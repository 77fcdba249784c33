package dev.weft.platform.config;

import io.quarkus.runtime.configuration.MemorySize;
import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/// The settings of the platform process. Each can be given as a system property
/// (`-Dweft.http.port=0`) or as an environment variable (`WEFT_HTTP_PORT=0`).
@ConfigMapping(prefix = "weft")
public interface WeftConfig {
  /// The directory of this installation's state, logs, caches and keys.
  Path home();

  /// The root of the software, where the runtimes' class paths are found.
  Optional<Path> dist();

  /// Which part of the platform this process is.
  @WithDefault("all")
  Role role();

  /// The controller that a gateway follows.
  Controller controller();

  /// The devices of this machine that there are runtimes for, with commas between: `cpu`, `gpu` for
  /// all graphics cards, `gpu:N` for one; `auto` is the processors and what cards there are.
  @WithDefault("auto")
  String devices();

  /// Where the platform listens.
  Http http();

  /// How runtime processes are started and watched.
  RuntimeProcess runtime();

  /// How requests are received and passed on.
  Gateway gateway();

  /// How instances are kept and let go.
  Control control();

  /// What is remembered of finished invocations.
  Invocations invocations();

  /// The PostgreSQL that state is kept in, in place of the embedded database.
  Database database();

  /// The Kubernetes cluster that the process is part of.
  Cluster cluster();

  /// What is told to a collector of OpenTelemetry's.
  Telemetry telemetry();

  /// The controller that a gateway follows.
  interface Controller {
    /// Where it listens, such as `http://127.0.0.1:8080`.
    Optional<URI> url();

    /// A file with an API key that has the scope `gateway`.
    Optional<Path> keyFile();
  }

  /// Where the platform listens.
  interface Http {
    /// The address to listen on; anything but loopback exposes the installation.
    @WithDefault("127.0.0.1")
    String host();

    /// The port to listen on; 0 takes a free one.
    @WithDefault("8080")
    int port();
  }

  /// How runtime processes are started and watched.
  interface RuntimeProcess {
    /// The class path of the CPU runtime; by default `runtime-cpu/target/app/*` below `weft.dist`.
    Optional<String> classpath();

    /// The CPU runtime's main class.
    @WithDefault("dev.weft.runtime.cpu.Main")
    String mainClass();

    /// Memory that models may take on each CPU device; by default the runtime decides.
    Optional<MemorySize> memory();

    /// Threads of each CPU device; by default what the cgroup grants.
    OptionalInt threads();

    /// Logical CPUs to run on, such as `0-3,8`, or those of a NUMA node, such as `node:0`; by
    /// default all. Several sets, as in `0-7;8-15`, make as many devices.
    Optional<String> cpus();

    /// What is another way for GPU runtimes.
    Gpu gpu();

    /// The runtime's heap. Weights and KV are outside of it.
    @WithDefault("1g")
    String heap();

    /// How long a runtime process may take until it listens.
    @WithDefault("60s")
    Duration startTimeout();

    /// How long health may be bad before the process is ended and started again.
    @WithDefault("5s")
    Duration hungAfter();

    /// How long a process must have run for its next end to count as the first: the first restart
    /// comes at once, further ones wait for longer and longer.
    @WithDefault("60s")
    Duration stableAfter();

    /// How long running requests may take to finish when a runtime is drained.
    @WithDefault("30s")
    Duration drainTimeout();
  }

  /// What is another way for GPU runtimes.
  interface Gpu {
    /// The class path of the GPU runtime; by default `runtime-gpu/target/app/*` below `weft.dist`.
    Optional<String> classpath();

    /// The GPU runtime's main class.
    @WithDefault(HostGpus.MAIN_CLASS)
    String mainClass();

    /// Memory that models may take on each GPU; by default most of what is free at the start.
    Optional<MemorySize> memory();
  }

  /// How requests are received and passed on.
  interface Gateway {
    /// The largest request body; runtimes refuse more than 8 MiB.
    @WithDefault("8M")
    MemorySize maxBody();

    /// The deepest nesting of a request's JSON.
    @WithDefault("64")
    int maxDepth();

    /// The largest answer that is not streamed.
    @WithDefault("64M")
    MemorySize maxAnswer();

    /// The pause between two comments to a client whose stream is held.
    @WithDefault("15s")
    Duration heartbeat();

    /// Connections that each event loop may have to one runtime; more requests than this wait in
    /// the gateway.
    @WithDefault("4096")
    int upstreamConnections();
  }

  /// How instances are kept and let go.
  interface Control {
    /// The pause between two rounds of the control loop when nothing changes.
    @WithDefault("1s")
    Duration period();

    /// Whether a device serves one model at a time: a function that is called and has no instance
    /// waits for a device that idles, and takes it over.
    @WithDefault("false")
    boolean exclusive();

    /// How long an inspection of a model may take at deploy.
    @WithDefault("60s")
    Duration inspectTimeout();

    /// How long running requests may take where an instance has to go: those of a deleted function
    /// are ended then, streams of a drained device go on elsewhere.
    @WithDefault("30s")
    Duration leaveGrace();
  }

  /// What is told to a collector of OpenTelemetry's.
  interface Telemetry {
    /// Where spans of requests are sent, by OTLP over HTTP, such as `http://127.0.0.1:4318`.
    /// Without it, and without OpenTelemetry's own variables, none are made.
    Optional<URI> endpoint();
  }

  /// What is remembered of finished invocations.
  interface Invocations {
    /// Rows kept; the oldest go first.
    @WithDefault("100000")
    int maxRows();

    /// Age at which a row goes.
    @WithDefault("30d")
    Duration maxAge();
  }

  /// The PostgreSQL that state is kept in, in place of the embedded database.
  interface Database {
    /// Its address, such as `jdbc:postgresql://db:5432/weft`; without one the embedded database is
    /// used.
    Optional<String> url();

    /// Who the platform is there.
    @WithDefault("weft")
    String username();

    /// A file with the password, read for each connection.
    Optional<Path> passwordFile();
  }

  /// The Kubernetes cluster that the process is part of.
  interface Cluster {
    /// Whether functions, keys and runtimes are a cluster's objects instead of this machine's.
    @WithDefault("false")
    boolean enabled();

    /// What the names of this installation's objects begin with.
    @WithDefault("weft")
    String name();

    /// The namespace of this installation's objects; by default the pod's own.
    Optional<String> namespace();

    /// Whose functions it serves.
    @WithDefault("namespace")
    Scope scope();

    /// The name of this pod.
    Optional<String> pod();

    /// Where functions are called, such as `http://weft.weft.svc`; said in their status.
    Optional<URI> url();

    /// A file with the API key that the installation is used with.
    Optional<Path> apiKeyFile();

    /// A file with the API key that gateways follow the controller with.
    Optional<Path> gatewayKeyFile();

    /// A file with the secret that runtimes answer to.
    Optional<Path> runtimeSecretFile();

    /// How long a controller that does not answer stays the leader.
    @WithDefault("15s")
    Duration lease();

    /// The pause between two looks at what functions' and pools' status is to say.
    @WithDefault("1s")
    Duration statusPeriod();

    /// The pods that the operator makes.
    Pods pods();

    /// Whose functions an installation serves.
    enum Scope {
      /// Those of its own namespace.
      NAMESPACE,
      /// Those of all namespaces, but for namespaces with an installation of their own.
      CLUSTER
    }

    /// The pods that the operator makes.
    interface Pods {
      /// The runtime's image for pools of CPUs.
      Optional<String> cpuImage();

      /// The runtime's image for pools of GPUs.
      Optional<String> gpuImage();

      /// When nodes fetch an image.
      @WithDefault("IfNotPresent")
      String pullPolicy();

      /// Secrets, by their names, that images are fetched with.
      Optional<List<String>> pullSecrets();

      /// The name of the Secret with the runtimes' secret; by default the installation's own.
      Optional<String> secret();

      /// The group that volumes belong to; by default the cluster chooses.
      OptionalLong fsGroup();

      /// The service account of runtimes, which call no API.
      Optional<String> serviceAccount();
    }
  }
}
