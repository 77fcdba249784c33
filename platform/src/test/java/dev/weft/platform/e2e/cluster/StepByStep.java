package dev.weft.platform.e2e.cluster;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.TestWatcher;

/// For tests of which each begins where the one before it ended: after one has failed what there is
/// is written down, and the others are skipped.
final class StepByStep implements BeforeEachCallback, TestWatcher {
  private static final Namespace NAMESPACE = Namespace.create(StepByStep.class);
  private static final String FAILED = "failed";

  @Override
  public void beforeEach(ExtensionContext context) {
    @Nullable String failed = store(context).get(FAILED, String.class);
    Assumptions.assumeTrue(failed == null, () -> "it builds on what failed: " + failed);
  }

  @Override
  public void testFailed(ExtensionContext context, @Nullable Throwable cause) {
    String name = context.getRequiredTestMethod().getName();
    store(context).put(FAILED, name);
    Release.describe(name);
  }

  private static ExtensionContext.Store store(ExtensionContext context) {
    return context.getParent().orElseThrow().getStore(NAMESPACE);
  }
}
