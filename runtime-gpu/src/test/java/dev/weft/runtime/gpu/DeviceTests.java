package dev.weft.runtime.gpu;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectPackage;

import java.util.Arrays;
import java.util.Locale;
import org.junit.platform.engine.FilterResult;
import org.junit.platform.engine.TestDescriptor;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.discovery.ClassNameFilter;
import org.junit.platform.launcher.PostDiscoveryFilter;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/// Runs this module's tests, but for those in the emulator, where there is no Maven, such as on a
/// lent machine with a GPU: each with its time, failures with the beginning of their trace; exits
/// with 1 when one failed.
public final class DeviceTests {
  private static final int TRACE_LINES = 14;
  private static final int MESSAGE_CHARACTERS = 900;

  private DeviceTests() {}

  /// @param arguments a pattern of class names; all tests without
  public static void main(String[] arguments) {
    String pattern = arguments.length == 0 ? ".*Test" : arguments[0];
    System.out.println("device: " + RealGpu.describe());
    var request =
        LauncherDiscoveryRequestBuilder.request()
            .selectors(selectPackage("dev.weft.runtime.gpu"))
            .filters(
                ClassNameFilter.includeClassNamePatterns(pattern),
                (PostDiscoveryFilter) DeviceTests::needsNoEmulator)
            .build();
    var listener = new Printing();
    LauncherFactory.create().execute(request, listener);
    System.out.printf(
        Locale.ROOT,
        "tests: %d passed, %d failed, %d skipped%n",
        listener.passed,
        listener.failed,
        listener.skipped);
    System.exit(listener.failed == 0 ? 0 : 1);
  }

  private static FilterResult needsNoEmulator(TestDescriptor test) {
    return FilterResult.includedIf(!test.getUniqueId().toString().contains(":Emulated]"));
  }

  private static final class Printing implements TestExecutionListener {
    private int passed;
    private int failed;
    private int skipped;
    private long startNanos;

    @Override
    public void executionStarted(TestIdentifier test) {
      startNanos = System.nanoTime();
    }

    @Override
    public void executionSkipped(TestIdentifier test, String reason) {
      skipped++;
      System.out.println("SKIPPED " + name(test) + ": " + reason);
    }

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
      long millis = (System.nanoTime() - startNanos) / 1_000_000;
      switch (result.getStatus()) {
        case SUCCESSFUL -> {
          if (test.isTest()) {
            passed++;
            System.out.println("passed " + name(test) + " " + millis + " ms");
          }
        }
        case ABORTED -> {
          skipped++;
          System.out.println("SKIPPED " + name(test) + ": " + result.getThrowable());
        }
        case FAILED -> {
          failed++;
          System.out.println("FAILED " + name(test));
          result.getThrowable().ifPresent(Printing::print);
        }
      }
    }

    private static String name(TestIdentifier test) {
      String id = test.getUniqueId().replaceAll("\\[engine:[^]]*]/", "");
      return id.replace("class:dev.weft.runtime.gpu.", "") + " " + test.getDisplayName();
    }

    private static void print(Throwable failure) {
      for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
        String text = String.valueOf(cause);
        System.out.println("  " + text.substring(0, Math.min(MESSAGE_CHARACTERS, text.length())));
        Arrays.stream(cause.getStackTrace())
            .filter(frame -> frame.getClassName().startsWith("dev.weft"))
            .limit(TRACE_LINES)
            .forEach(frame -> System.out.println("    at " + frame));
      }
    }
  }
}
