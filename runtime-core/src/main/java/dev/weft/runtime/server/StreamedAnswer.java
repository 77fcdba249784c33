package dev.weft.runtime.server;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.runtime.sampling.SampledToken;
import dev.weft.runtime.server.openai.ApiError;
import dev.weft.runtime.server.openai.Reply;
import dev.weft.runtime.server.openai.Reply.Finish;
import dev.weft.runtime.server.openai.TokenUsage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/// Answers in server-sent events, as OpenAI does. The status line waits for the first token, so
/// that what fails before is an ordinary error; comments keep the connection alive meanwhile.
///
/// With token comments, each frame follows a line `: t <id> <id> ...`: the tokens that its text
/// came from, those included whose text was not certain before. Concatenated over the stream they
/// are the whole sequence.
final class StreamedAnswer implements Answer {
  private final Call call;
  private final GenerationPlan plan;
  private final EventStream stream;
  private final List<Open> choices = new ArrayList<>();

  /// One choice, as far as it has been sent.
  private static final class Open {
    private final Reply.Choice writer;
    private final List<SampledToken> held = new ArrayList<>();
    private boolean opened;

    private Open(Reply.Choice writer) {
      this.writer = writer;
    }
  }

  StreamedAnswer(Call call, GenerationPlan plan, Duration keepAliveInterval) {
    this.call = call;
    this.plan = plan;
    this.stream = new EventStream(call, keepAliveInterval);
    for (int i = 0; i < plan.sequences().size(); i++) {
      choices.add(new Open(plan.reply().choice(i)));
    }
  }

  @Override
  public void prompt(int choice, List<SampledToken> prompt) {
    Open open = open(choice);
    String echo = plan.sequences().get(choice).echo().orElse("");
    frame(open.writer.delta(echo, prompt));
  }

  @Override
  public void text(int choice, String text, List<SampledToken> tokens) {
    Open open = choices.get(choice);
    open.held.addAll(tokens);
    boolean something = !text.isEmpty() || (plan.format().logprobs() && !open.held.isEmpty());
    if (!something) {
      return;
    }
    open(choice);
    commentTokens(open);
    frame(open.writer.delta(text, plan.format().logprobs() ? List.copyOf(open.held) : List.of()));
    open.held.clear();
  }

  @Override
  public void end(int choice, Finish finish) {
    Open open = open(choice);
    commentTokens(open);
    frame(open.writer.end(finish));
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
    open.writer.opening().ifPresent(this::frame);
    GenerationPlan.Sequence sequence = plan.sequences().get(choice);
    if (sequence.echo().isPresent() && !sequence.request().scorePrompt()) {
      frame(open.writer.delta(sequence.echo().get(), List.of()));
    }
    return open;
  }

  private void commentTokens(Open open) {
    if (plan.format().tokenComments() && !open.held.isEmpty()) {
      StringBuilder comment = new StringBuilder("t");
      for (SampledToken token : open.held) {
        comment.append(' ').append(token.token());
      }
      stream.comment(comment.toString());
    }
  }

  private void frame(ObjectNode frame) {
    stream.frame(frame);
  }
}
