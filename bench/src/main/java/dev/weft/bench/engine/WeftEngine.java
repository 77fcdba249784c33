package dev.weft.bench.engine;

import dev.weft.bench.Confinement;
import dev.weft.bench.Subprocess;
import dev.weft.functions.Quantization;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/// An [EngineWorker]: compiled once, measured often, idle between.
public final class WeftEngine implements AutoCloseable {
  private final Process process;
  private final BufferedReader answers;
  private final PrintStream questions;
  private final String backend;

  /// How to start one.
  ///
  /// @param threads 0 for as many as the process may use
  public record Options(
      Path model, Quantization quantization, int threads, int longestPrompt, Confinement within) {}

  private WeftEngine(Process process, BufferedReader answers, String backend) {
    this.process = process;
    this.answers = answers;
    this.questions = new PrintStream(process.getOutputStream(), true, StandardCharsets.UTF_8);
    this.backend = backend;
  }

  /// Starts a worker and warms it up; empty where Weft does not do this quantization here.
  public static Optional<WeftEngine> open(Options options) throws IOException {
    List<String> command =
        Subprocess.java(
            List.of("-Xmx2g", "-XX:+UseSerialGC"),
            EngineWorker.class,
            List.of(
                options.model().toString(),
                options.quantization().name(),
                String.valueOf(options.threads()),
                String.valueOf(options.longestPrompt())));
    Process process =
        new ProcessBuilder(options.within().command(command))
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    BufferedReader answers =
        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
    String[] first = read(process, answers).split(" ", 2);
    if (first[0].equals("unsupported")) {
      System.err.println("weft: " + first[1]);
      process.destroy();
      return Optional.empty();
    }
    WeftEngine engine = new WeftEngine(process, answers, first[1]);
    engine.decode(2);
    return Optional.of(engine);
  }

  /// Tokens a second of a prompt.
  public double prefill(int tokens) throws IOException {
    return ask("prefill " + tokens);
  }

  /// Tokens a second, one by one.
  public double decode(int tokens) throws IOException {
    return ask("decode " + tokens);
  }

  public String backend() {
    return backend;
  }

  public Process process() {
    return process;
  }

  private double ask(String question) throws IOException {
    questions.println(question);
    return Double.parseDouble(read(process, answers));
  }

  private static String read(Process process, BufferedReader answers) throws IOException {
    for (String line = answers.readLine(); line != null; line = answers.readLine()) {
      if (line.startsWith(EngineWorker.MARK)) {
        return line.substring(EngineWorker.MARK.length());
      }
    }
    process.destroyForcibly();
    throw new IllegalStateException("Weft's engine ended; its errors are above");
  }

  @Override
  public void close() {
    questions.close();
    try {
      if (!process.waitFor(10, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }
}
