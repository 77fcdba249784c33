package dev.weft.runtime.server;

import dev.weft.runtime.sampling.SampledToken;
import dev.weft.runtime.server.openai.ApiError;
import dev.weft.runtime.server.openai.Reply.Finish;
import dev.weft.runtime.server.openai.TokenUsage;
import java.util.List;

/// Sends what the sequences of a request produce. Called on the connection's context only.
sealed interface Answer permits StreamedAnswer, WholeAnswer {
  void prompt(int choice, List<SampledToken> prompt);

  void text(int choice, String text, List<SampledToken> tokens);

  /// @param used tokens that the choice took altogether
  void end(int choice, Finish finish, int used);

  /// Sends what has been gathered since the last time.
  void flush();

  /// All choices have ended well.
  void complete(TokenUsage usage);

  /// Whether its reader knows by tokens what has been read, and so can have it go on elsewhere.
  boolean readByTokens();

  /// Tells whoever reads by tokens that keys and values of a choice can be fetched; before it
  /// fails.
  void kept(int choice, String ticket, int tokens);

  /// Tells whoever reads by tokens what became of keys and values that were kept elsewhere.
  void arrived(String what);

  /// Tells where the request's time went; before it is complete or fails.
  void times(String times);

  /// One has not; nothing follows.
  void fail(ApiError error);

  /// Whether the client must read before it is sent more; if so, `then` runs once it has.
  boolean full(Runnable then);
}
