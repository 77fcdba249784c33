package dev.weft.platform.management;

import dev.weft.functions.Function;
import dev.weft.functions.FunctionName;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.Model;
import dev.weft.functions.Revision;
import dev.weft.functions.instance.ControlApi.Inspection;
import dev.weft.functions.instance.ControlApi.Rejection;
import dev.weft.functions.instance.Tier;
import dev.weft.platform.control.DeployedFunction;
import dev.weft.platform.control.FunctionController;
import dev.weft.platform.control.FunctionDirectory;
import dev.weft.platform.state.FunctionStore;
import jakarta.inject.Singleton;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Deploys, rolls back and deletes functions. Each change is kept before it is in the directory,
/// and in the directory before the call returns. **thread**: blocks.
@Singleton
public final class FunctionService {
  private static final Logger LOG = LoggerFactory.getLogger(FunctionService.class);

  private final FunctionStore store;
  private final FunctionDirectory directory;
  private final FunctionController controller;

  /// One change at a time, so that the directory never goes back behind the store.
  private final ReentrantLock changes = new ReentrantLock();

  public FunctionService(
      FunctionStore store, FunctionDirectory directory, FunctionController controller) {
    this.store = store;
    this.directory = directory;
    this.controller = controller;
  }

  /// Fills the directory from the state of record.
  public void open() {
    store.open();
    directory.publish(store.all());
  }

  /// Takes what changed in the state of record by itself: `change` reads it.
  public void changed(Runnable change) {
    changes.lock();
    try {
      change.run();
      directory.publish(store.all());
    } finally {
      changes.unlock();
    }
  }

  public DeployedFunction find(FunctionName name) {
    return directory
        .snapshot()
        .find(name)
        .orElseThrow(() -> ManagementException.notFound("function", name));
  }

  /// Makes `declared` the active revision, after a device has said that it could run it. When it
  /// says what is active already, nothing changes but that an earlier failure is forgotten.
  public FunctionStore.Deployment deploy(Function declared) {
    Adapters.check(declared.name(), declared.spec(), directory.snapshot());
    Optional<DeployedFunction> existing = directory.snapshot().find(declared.name());
    Function resolved = inspected(declared, existing.orElse(null));
    changes.lock();
    try {
      Adapters.check(declared.name(), declared.spec(), directory.snapshot());
      FunctionStore.Deployment deployment = store.deploy(resolved, Instant.now());
      directory.publish(store.all());
      controller.forgive(deployment.function().active());
      LOG.atInfo()
          .addKeyValue("function", declared.name())
          .addKeyValue("revision", deployment.function().active().id())
          .addKeyValue("change", deployment.change())
          .log("deployed");
      return deployment;
    } finally {
      changes.unlock();
    }
  }

  /// Makes revision `number` the active one; `null` is the newest one before the active one.
  public DeployedFunction rollback(FunctionName name, @Nullable Integer number) {
    changes.lock();
    try {
      DeployedFunction function = find(name);
      requireOwn(name);
      int target = number == null ? previous(function) : number;
      function
          .revision(target)
          .ifPresent(older -> Adapters.check(name, older.spec(), directory.snapshot()));
      DeployedFunction changed =
          store
              .activate(name, target, Instant.now())
              .orElseThrow(
                  () -> ManagementException.notFound("revision", name + " number " + target));
      directory.publish(store.all());
      controller.forgive(changed.active());
      LOG.atInfo()
          .addKeyValue("function", name)
          .addKeyValue("revision", changed.active().id())
          .log("rolled back");
      return changed;
    } finally {
      changes.unlock();
    }
  }

  public void delete(FunctionName name) {
    changes.lock();
    try {
      requireOwn(name);
      Adapters.requireNone(name, directory.snapshot());
      if (!store.delete(name, Instant.now())) {
        throw ManagementException.notFound("function", name);
      }
      directory.publish(store.all());
      LOG.atInfo().addKeyValue("function", name).log("deleted");
    } finally {
      changes.unlock();
    }
  }

  public DeployedFunction prewarm(FunctionName name, Tier tier) {
    DeployedFunction function = find(name);
    controller.prewarm(function.active(), tier);
    return function;
  }

  /// Who may change a function of another namespace is for the cluster to say, and not for this
  /// installation's keys.
  private void requireOwn(FunctionName name) {
    name.namespace()
        .ifPresent(namespace -> {
          find(name);
          throw new ManagementException(
              409,
              "other_namespace",
              null,
              "'%s' is an object of the namespace %s: change it there, with kubectl"
                  .formatted(name, namespace));
        });
  }

  private static int previous(DeployedFunction function) {
    return function.revisions().stream()
        .mapToInt(revision -> revision.id().number())
        .filter(number -> number < function.activeNumber())
        .max()
        .orElseThrow(() ->
            new ManagementException(
                409,
                "no_earlier_revision",
                null,
                "%s is at its oldest revision, %s"
                    .formatted(function.name(), function.active().id())));
  }

  /// The function with its kind filled in; refused when no device could ever run it.
  private Function inspected(Function declared, @Nullable DeployedFunction existing) {
    if (existing != null) {
      Function sameKind = withKind(declared, existing.spec().model().kind());
      boolean knownRevision =
          existing.revisions().stream()
              .map(Revision::spec)
              .anyMatch(spec -> spec.equals(sameKind.spec()));
      if (knownRevision) {
        return sameKind;
      }
    }
    List<Inspection> inspections = controller.inspect(declared);
    if (inspections.isEmpty()) {
      throw new ManagementException(
          503,
          "no_device",
          null,
          "no device of the classes %s is up to say whether '%s' fits; try again shortly"
              .formatted(names(declared.spec()), declared.name()));
    }
    Optional<Inspection> willing =
        inspections.stream().filter(inspection -> inspection.rejection() == null).findFirst();
    if (willing.isEmpty()) {
      throw refusal(declared, inspections);
    }
    return withKind(declared, willing.get().kind());
  }

  private static ManagementException refusal(Function declared, List<Inspection> inspections) {
    Rejection first = Objects.requireNonNull(inspections.getFirst().rejection());
    String reasons =
        inspections.stream()
            .map(inspection -> Objects.requireNonNull(inspection.rejection()).message())
            .distinct()
            .collect(Collectors.joining("; "));
    return new ManagementException(
        400,
        first.code().name().toLowerCase(Locale.ROOT),
        "spec",
        "'%s' cannot run on any device: %s".formatted(declared.name(), reasons));
  }

  private static Function withKind(Function declared, Model.@Nullable Kind kind) {
    FunctionSpec spec = declared.spec();
    Model model = spec.model();
    if (model.kind() != null || kind == null) {
      return declared;
    }
    return new Function(
        declared.apiVersion(),
        declared.kind(),
        declared.metadata(),
        new FunctionSpec(
            new Model(kind, model.sources(), model.contextLength()),
            spec.adapterOf(),
            spec.quantization(),
            spec.kvCache(),
            spec.serviceLevel(),
            spec.scaling(),
            spec.devices(),
            spec.limits()));
  }

  private static List<String> names(FunctionSpec spec) {
    return spec.devices().stream().map(device -> device.name().toLowerCase(Locale.ROOT)).toList();
  }
}
