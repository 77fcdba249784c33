package dev.weft.runtime.instance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.runtime.tokenizer.Tokenizer;
import dev.weft.runtime.weights.SourceFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

class SharedTokenizersTest {
  private static final int SIZE = 10;

  private final List<Fake> made = new ArrayList<>();
  private final SharedTokenizers tokenizers = new SharedTokenizers(2 * SIZE);

  /// Knows only whether it is closed.
  private static final class Fake implements Tokenizer {
    private boolean closed;

    @Override
    public int[] encode(List<TextPart> parts, boolean addSpecial) {
      if (closed) {
        throw new IllegalStateException("closed");
      }
      return new int[] {parts.size()};
    }

    @Override
    public String decode(int[] tokens, boolean skipSpecial) {
      throw new UnsupportedOperationException();
    }

    @Override
    public byte[] tokenBytes(int token) {
      throw new UnsupportedOperationException();
    }

    @Override
    public IncrementalDecoder incrementalDecoder(boolean skipSpecial) {
      throw new UnsupportedOperationException();
    }

    @Override
    public int vocabularySize() {
      return SIZE;
    }

    @Override
    public Set<Integer> endTokens() {
      return Set.of();
    }

    @Override
    public Map<String, String> specialTokens() {
      return Map.of();
    }

    @Override
    public void close() {
      assertThat(closed).as("closed twice").isFalse();
      closed = true;
    }
  }

  private Tokenizer open(String file) {
    return tokenizers.open(files(file), this::make);
  }

  private synchronized Fake make() {
    Fake fake = new Fake();
    made.add(fake);
    return fake;
  }

  private static List<SourceFile> files(String name) {
    return List.of(new SourceFile(Path.of(name), 1, 2, name));
  }

  @Test
  void modelsOfOneVocabularyShareIt() {
    Tokenizer first = open("a");
    try (Tokenizer second = open("a");
        Tokenizer other = open("b")) {
      assertThat(made).hasSize(2);
      first.close();
      first.close();
      assertThat(second.encode("text", false, false)).containsExactly(1);
      assertThat(other.vocabularySize()).isEqualTo(SIZE);
    }
    assertThat(made).noneMatch(fake -> fake.closed);
  }

  @Test
  void comesBackWithoutBeingMadeAgain() {
    open("a").close();
    open("a").close();
    assertThat(made).hasSize(1);
  }

  @Test
  void theLongestIdleGoesFirstAndNoneThatIsUsed() {
    Tokenizer used = open("used");
    open("a").close();
    open("b").close();
    open("a").close();
    open("c").close();
    assertThat(made.stream().map(fake -> fake.closed))
        .as("used, a, b, c")
        .containsExactly(false, false, true, false);
    used.close();
    assertThat(made.get(1).closed).as("a, when a third is idle").isFalse();
    assertThat(made.getFirst().closed).as("taken first of all").isTrue();
  }

  @Test
  void unknownFilesAreSharedWithNobody() {
    tokenizers.open(List.of(), this::make).close();
    tokenizers.open(List.of(), this::make).close();
    assertThat(made).hasSize(2).allMatch(fake -> fake.closed);
  }

  @Test
  void failureIsToldAndForgotten() {
    assertThatThrownBy(() ->
            tokenizers.open(
                files("a"),
                () -> {
                  throw new IllegalArgumentException("no vocabulary");
                }))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("no vocabulary");
    open("a").close();
    assertThat(made).hasSize(1);
  }

  @Test
  void loadsAtOnceMakeOne() throws InterruptedException {
    var opening = new CountDownLatch(1);
    var goOn = new CompletableFuture<Void>();
    var first =
        CompletableFuture.supplyAsync(() ->
            tokenizers.open(
                files("a"),
                () -> {
                  opening.countDown();
                  goOn.join();
                  return make();
                }));
    opening.await();
    var second = CompletableFuture.supplyAsync(() -> open("a"));
    goOn.complete(null);
    first.join().close();
    second.join().close();
    assertThat(made).hasSize(1);
  }

  @Test
  void closingClosesWhatIsIdleNowOrLater() {
    Tokenizer used = open("a");
    open("b").close();
    tokenizers.close();
    assertThat(made.stream().map(fake -> fake.closed)).containsExactly(false, true);
    used.close();
    assertThat(made.getFirst().closed).isTrue();
  }
}
