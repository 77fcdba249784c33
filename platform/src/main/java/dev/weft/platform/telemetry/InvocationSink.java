package dev.weft.platform.telemetry;

/// Takes finished invocations. **thread**: event loops call it; it never blocks.
@FunctionalInterface
public interface InvocationSink {
  void record(Invocation invocation);
}
