package dev.weft.runtime.source;

import dev.weft.runtime.source.SourceException.Code;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// The user's pip, run as `python3 -m pip`.
final class Pip {
  private static final Duration CHECK_TIMEOUT = Duration.ofSeconds(20);
  private static final int KEPT_LINES = 200;
  private static final long POLL_MILLIS = 100;
  // `--progress-bar raw` came with pip 24.1.
  private static final int RAW_PROGRESS_SINCE = 2401;
  private static final Pattern VERSION = Pattern.compile("pip (\\d+)\\.(\\d+).*");
  private static final Pattern PROGRESS = Pattern.compile("Progress (\\d+) of (\\d+)");
  private static final Pattern UNREACHABLE =
      Pattern.compile(
          "(?i)NewConnectionError|connection broken by|Connection refused|timed out|"
              + "Name or service not known|Temporary failure in name resolution|ProxyError|SSLError|"
              + "Network is unreachable");
  private static final Pattern UNAUTHORISED = Pattern.compile("(?i)\\b(401|403)\\b.*Error");
  private static final Pattern CREDENTIALS = Pattern.compile("://[^/@\\s]+@");

  private final String python;
  private final Map<String, String> environment;
  private final Duration stallTimeout;

  Pip(SourceSettings settings) {
    this.python = settings.python();
    this.environment = settings.environment();
    this.stallTimeout = settings.stallTimeout();
  }

  /// Throws `UNUSABLE`, naming what to install, unless pip runs.
  ///
  /// @return its version as major * 100 + minor
  int check() {
    try {
      Process process = builder(List.of(python, "-m", "pip", "--version")).start();
      if (!process.waitFor(CHECK_TIMEOUT.toSeconds(), TimeUnit.SECONDS)) {
        process.destroyForcibly();
        throw new SourceException(Code.UNUSABLE, python + " -m pip --version does not end");
      }
      try (BufferedReader output = process.inputReader()) {
        Matcher version = VERSION.matcher(String.valueOf(output.readLine()));
        if (process.exitValue() == 0 && version.matches()) {
          return Integer.parseInt(version.group(1)) * 100 + Integer.parseInt(version.group(2));
        }
      }
      throw new SourceException(
          Code.UNUSABLE,
          python + " has no pip; install it, for example: apt-get install python3-pip");
    } catch (IOException e) {
      throw new SourceException(
          Code.UNUSABLE,
          python + " is not there; install it, for example: apt-get install python3 python3-pip",
          e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new SourceException(Code.CANCELLED, "cancelled", e);
    }
  }

  /// Downloads the wheel of `requirement` into `directory`.
  void download(String requirement, Path directory, Transfer transfer) {
    boolean raw = check() >= RAW_PROGRESS_SINCE;
    List<String> command =
        List.of(
            python,
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--only-binary=:all:", // a source distribution would run its build script
            "--no-input",
            "--disable-pip-version-check",
            "--retries=1",
            "--progress-bar=" + (raw ? "raw" : "off"),
            "--dest=" + directory,
            requirement);
    ProcessBuilder builder = builder(command);
    // pip downloads into its temporary directory and moves the wheel: same disk, no copy left over.
    builder.environment().put("TMPDIR", directory.toString());
    builder.environment().put("PYTHONUNBUFFERED", "1");
    try {
      Process process = builder.start();
      try {
        follow(process, requirement, directory, transfer);
      } finally {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
      }
    } catch (IOException e) {
      throw FileTree.failure("running pip", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new SourceException(Code.CANCELLED, "cancelled", e);
    }
  }

  private ProcessBuilder builder(List<String> command) {
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.redirectInput(new File("/dev/null"));
    builder.environment().clear();
    builder.environment().putAll(environment);
    return builder;
  }

  private void follow(Process process, String requirement, Path directory, Transfer transfer)
      throws InterruptedException {
    Output output = new Output();
    Thread reader = Thread.ofVirtual().name("pip-output").start(() -> output.read(process));
    long seen = 0;
    long seenAt = System.nanoTime();
    while (!process.waitFor(POLL_MILLIS, TimeUnit.MILLISECONDS)) {
      transfer.check();
      long done = Math.max(output.bytesDone.get(), FileTree.bytes(directory));
      if (output.bytesTotal.get() > 0) {
        transfer.expect(output.bytesTotal.get());
      }
      if (done > seen) {
        transfer.advance(done - seen);
        seen = done;
        seenAt = System.nanoTime();
      } else if (System.nanoTime() - seenAt > stallTimeout.toNanos()) {
        throw new SourceException(
            Code.UNREACHABLE, "pip got nothing for %d s".formatted(stallTimeout.toSeconds()));
      }
    }
    reader.join();
    if (process.exitValue() != 0) {
      throw failure(requirement, output.lines());
    }
  }

  static SourceException failure(String requirement, List<String> lines) {
    String all = String.join("\n", lines);
    if (FileTree.isDiskFull(all)) {
      return new SourceException(Code.DISK_FULL, "the disk is full; free some space and try again");
    }
    if (UNREACHABLE.matcher(all).find()) {
      return new SourceException(
          Code.UNREACHABLE, "pip cannot reach its package index (see: pip config list)");
    }
    if (UNAUTHORISED.matcher(all).find()) {
      return new SourceException(Code.UNAUTHORISED, "the package index refuses pip's credentials");
    }
    if (all.contains("No matching distribution found")) {
      return new SourceException(
          Code.NOT_FOUND, "pip's package index has no wheel of " + requirement);
    }
    String last =
        lines.stream()
            .filter(line -> line.startsWith("ERROR"))
            .reduce((_, second) -> second)
            .orElse(lines.isEmpty() ? "it said nothing" : lines.getLast());
    return new SourceException(
        Code.UNUSABLE, "pip failed: " + CREDENTIALS.matcher(last).replaceAll("://"));
  }

  /// What pip prints: its progress, and the last lines for an error.
  private static final class Output {
    final AtomicLong bytesDone = new AtomicLong();
    final AtomicLong bytesTotal = new AtomicLong();
    private final Deque<String> lines = new ArrayDeque<>();

    void read(Process process) {
      try (BufferedReader reader = process.inputReader()) {
        for (String line = reader.readLine(); line != null; line = reader.readLine()) {
          Matcher progress = PROGRESS.matcher(line.strip());
          if (progress.matches()) {
            bytesDone.set(Long.parseLong(progress.group(1)));
            bytesTotal.set(Long.parseLong(progress.group(2)));
          } else {
            keep(line.strip());
          }
        }
      } catch (IOException e) {
        keep("ERROR: reading pip's output: " + e.getMessage());
      }
    }

    private synchronized void keep(String line) {
      lines.addLast(line);
      if (lines.size() > KEPT_LINES) {
        lines.removeFirst();
      }
    }

    synchronized List<String> lines() {
      return new ArrayList<>(lines);
    }
  }
}
