package dev.weft.platform.cluster;

import dev.weft.functions.Function;
import io.fabric8.kubernetes.api.model.Event;
import io.fabric8.kubernetes.api.model.EventBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Says what happened to an object, as `kubectl describe` shows it.
final class ObjectEvents {
  private static final Logger LOG = LoggerFactory.getLogger(ObjectEvents.class);
  private static final int LONGEST = 1_000;

  private final Cluster cluster;

  ObjectEvents(Cluster cluster) {
    this.cluster = cluster;
  }

  /// @param warning whether somebody should look at it
  /// @param reason a word in CamelCase
  void say(Cluster.ObjectRef object, String uid, boolean warning, String reason, String message) {
    String now = Instant.now().truncatedTo(ChronoUnit.SECONDS).toString();
    Event event =
        new EventBuilder()
            .withNewMetadata()
            .withGenerateName(object.name() + ".")
            .withNamespace(object.namespace())
            .endMetadata()
            .withNewInvolvedObject()
            .withApiVersion(Function.API_VERSION)
            .withKind(object.kind().word())
            .withName(object.name())
            .withNamespace(object.namespace())
            .withUid(uid)
            .endInvolvedObject()
            .withType(warning ? "Warning" : "Normal")
            .withReason(reason)
            .withMessage(message.substring(0, Math.min(LONGEST, message.length())))
            .withNewSource()
            .withComponent(Cluster.OPERATOR)
            .endSource()
            .withFirstTimestamp(now)
            .withLastTimestamp(now)
            .withCount(1)
            .build();
    try {
      cluster.client().v1().events().inNamespace(object.namespace()).resource(event).create();
    } catch (KubernetesClientException e) {
      // The status says the same, and is written again until it is taken.
      LOG.atWarn().addKeyValue("object", object).setCause(e).log("an event could not be written");
    }
  }
}
