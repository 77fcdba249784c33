package dev.weft.runtime.server;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.runtime.sampling.LogProbabilities;
import dev.weft.runtime.sampling.SampledToken;
import dev.weft.runtime.server.openai.ApiError;
import dev.weft.runtime.server.openai.Reply;
import dev.weft.runtime.server.openai.Reply.Finish;
import dev.weft.runtime.server.openai.TextChunk;
import dev.weft.runtime.server.openai.TokenUsage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/// Answers in server-sent events, as OpenAI does. The status line waits for the first token, so
/// that what fails before is an ordinary error; comments keep the connection alive meanwhile.
///
/// With token comments, each frame of a choice follows a line that says what it brings: `: t` with
/// the ids of the tokens that its text came from, those included whose text was not certain before
/// (`: t 12 34`). Concatenated over the stream they are the whole sequence, but for its end token.
/// Choices other than the first have their index (`: t/1 12`), and the last frame of a choice the
/// number of tokens that it took (`: t end 57`). Text is told by tokens alone: who has read a
/// number of frames has read what these tokens, and no others, make certain. So the stream can go
/// on elsewhere ([ContinueRequest]), with the keys and values that it has where they are kept (`:
/// kv kept 0 TICKET 57`).
final class StreamedAnswer implements Answer {
  private final Call call;
  private final GenerationPlan plan;
  private final EventStream stream;
  private final List<Open> choices = new ArrayList<>();

  /// One choice, as far as it has been sent.
  private static final class Open {
    private final Reply.Choice writer;
    private final TextChunk chunk;
    private final List<SampledToken> held = new ArrayList<>();
    private String tail = "";
    private boolean opened;

    private Open(Reply.Choice writer) {
      this.writer = writer;
      chunk = new TextChunk(writer);
    }
  }

  StreamedAnswer(Call call, GenerationPlan plan, Duration keepAliveInterval) {
    this.call = call;
    this.plan = plan;
    this.stream = new EventStream(call, keepAliveInterval);
    for (int i = 0; i < plan.sequences().size(); i++) {
      choices.add(choice(i));
    }
  }

  /// A choice, as far as its reader has come.
  private Open choice(int index) {
    Open open = new Open(plan.reply().choice(index));
    GenerationPlan.Sequence sequence = plan.sequences().get(index);
    if (sequence.begun().isPresent()) {
      open.opened = true;
      if (plan.format().logprobs()) {
        // For the offsets: nobody reads these frames.
        sequence
            .echo()
            .ifPresent(
                echo -> open.writer.delta(echo, unscored(sequence.request().promptTokens())));
        open.writer.delta("", unscored(sequence.begun().get().tokens()));
      }
    }
    return open;
  }

  private static List<SampledToken> unscored(int[] tokens) {
    return IntStream.of(tokens).mapToObj(LogProbabilities::unscored).toList();
  }

  @Override
  public void prompt(int choice, List<SampledToken> prompt) {
    Open open = open(choice);
    comment(choice, "");
    String echo = plan.sequences().get(choice).echo().orElse("");
    frame(open.writer.delta(echo, prompt));
  }

  @Override
  public void text(int choice, String text, List<SampledToken> tokens) {
    Open open = choices.get(choice);
    if (tokens.isEmpty()) {
      // Part of the end: who has read it without the end could not say so in tokens.
      open.tail += text;
      return;
    }
    open.held.addAll(tokens);
    boolean something = !text.isEmpty() || (plan.format().logprobs() && !open.held.isEmpty());
    if (!something) {
      return;
    }
    open(choice);
    comment(choice, ids(open.held));
    if (plan.format().logprobs()) {
      frame(open.writer.delta(text, List.copyOf(open.held)));
    } else {
      stream.frame(open.chunk.with(text));
    }
    open.held.clear();
  }

  @Override
  public void end(int choice, Finish finish, int used) {
    Open open = open(choice);
    comment(choice, ids(open.held) + " end " + used);
    frame(open.writer.end(open.tail, finish));
    open.held.clear();
  }

  @Override
  public void flush() {
    stream.flush();
  }

  @Override
  public void complete(TokenUsage usage) {
    if (plan.format().usageChunk()) {
      frame(plan.reply().usageChunk(usage));
    }
    // Once this task is over, and the model let go of, as with an answer that is sent whole.
    call.onContext(stream::done);
  }

  @Override
  public boolean readByTokens() {
    return plan.format().tokenComments() && stream.begun();
  }

  @Override
  public void kept(int choice, String ticket, int tokens) {
    stream.comment("kv kept %d %s %d".formatted(choice, ticket, tokens));
  }

  @Override
  public void arrived(String what) {
    if (plan.format().tokenComments()) {
      stream.comment("kv " + what);
    }
  }

  @Override
  public void times(String times) {
    stream.comment("times " + times);
  }

  @Override
  public void fail(ApiError error) {
    if (stream.begun()) {
      stream.fail(error);
    } else {
      stream.abandon();
      call.sendError(error);
    }
  }

  @Override
  public boolean full(Runnable then) {
    return stream.full(then);
  }

  /// Sends what comes before a choice's first text, once.
  private Open open(int choice) {
    Open open = choices.get(choice);
    if (open.opened) {
      return open;
    }
    open.opened = true;
    open.writer
        .opening()
        .ifPresent(opening -> {
          comment(choice, "");
          frame(opening);
        });
    GenerationPlan.Sequence sequence = plan.sequences().get(choice);
    if (sequence.echo().isPresent() && !sequence.request().scorePrompt()) {
      comment(choice, "");
      frame(open.writer.delta(sequence.echo().get(), List.of()));
    }
    return open;
  }

  /// Says what the next frame brings of a choice.
  private void comment(int choice, String what) {
    if (plan.format().tokenComments()) {
      stream.comment((choice == 0 ? "t" : "t/" + choice) + what);
    }
  }

  private static String ids(List<SampledToken> tokens) {
    return tokens.stream().map(token -> " " + token.token()).collect(Collectors.joining());
  }

  private void frame(ObjectNode frame) {
    stream.frame(frame);
  }
}
