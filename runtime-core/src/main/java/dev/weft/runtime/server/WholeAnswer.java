package dev.weft.runtime.server;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.functions.instance.ControlApi;
import dev.weft.runtime.sampling.SampledToken;
import dev.weft.runtime.server.openai.ApiError;
import dev.weft.runtime.server.openai.Reply.Finish;
import dev.weft.runtime.server.openai.TokenUsage;
import java.util.ArrayList;
import java.util.List;

/// Gathers everything and answers once.
final class WholeAnswer implements Answer {
  private final Call call;
  private final GenerationPlan plan;
  private final List<Gathered> choices = new ArrayList<>();

  private static final class Gathered {
    private final StringBuilder text = new StringBuilder();
    private final List<SampledToken> tokens = new ArrayList<>();
    private Finish finish = Finish.STOP;
  }

  WholeAnswer(Call call, GenerationPlan plan) {
    this.call = call;
    this.plan = plan;
    for (GenerationPlan.Sequence sequence : plan.sequences()) {
      var gathered = new Gathered();
      sequence.echo().ifPresent(gathered.text::append);
      choices.add(gathered);
    }
  }

  @Override
  public void prompt(int choice, List<SampledToken> prompt) {
    choices.get(choice).tokens.addAll(prompt);
  }

  @Override
  public void text(int choice, String text, List<SampledToken> tokens) {
    Gathered gathered = choices.get(choice);
    gathered.text.append(text);
    if (plan.format().logprobs()) {
      gathered.tokens.addAll(tokens);
    }
  }

  @Override
  public void end(int choice, Finish finish, int used) {
    choices.get(choice).finish = finish;
  }

  @Override
  public void flush() {}

  @Override
  public void complete(TokenUsage usage) {
    List<ObjectNode> written = new ArrayList<>();
    for (int i = 0; i < choices.size(); i++) {
      Gathered gathered = choices.get(i);
      written.add(
          plan.reply().choice(i).whole(gathered.text.toString(), gathered.tokens, gathered.finish));
    }
    call.respond(200, plan.reply().whole(written, usage));
  }

  @Override
  public boolean readByTokens() {
    return false;
  }

  @Override
  public void kept(int choice, String ticket, int tokens) {
    throw new IllegalStateException("nobody goes on with a whole answer");
  }

  @Override
  public void arrived(String what) {
    throw new IllegalStateException("a whole answer has nothing elsewhere");
  }

  @Override
  public void times(String times) {
    call.putHeader(ControlApi.TIMES_HEADER, times);
  }

  @Override
  public void fail(ApiError error) {
    call.fail(error);
  }

  @Override
  public boolean full(Runnable then) {
    return false;
  }
}
