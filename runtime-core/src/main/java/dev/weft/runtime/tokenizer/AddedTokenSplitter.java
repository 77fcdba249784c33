package dev.weft.runtime.tokenizer;

import dev.weft.runtime.tokenizer.Tokenizer.TextPart;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// Finds special tokens in text as Hugging Face's tokenizers do (leftmost, longest first), but only
/// where the text is trusted. All of it is the runtime's own work: the native tokenizer knows the
/// special tokens only by aliases that no text can hold.
///
/// Added tokens that are not special are ordinary text here, left to the native tokenizer; they are
/// matched only so that no special token is found inside one.
final class AddedTokenSplitter {
  /// A piece of the text in order.
  sealed interface Piece {
    /// @param start offset in the whole text
    record Text(String text, int start) implements Piece {}

    record Special(int id) implements Piece {}
  }

  private final Map<Character, List<AddedToken>> byFirstLetter;

  AddedTokenSplitter(List<AddedToken> tokens) {
    this.byFirstLetter =
        tokens.stream()
            .filter(token -> !token.content().isEmpty())
            .sorted(Comparator.comparingInt((AddedToken token) -> -token.content().length()))
            .collect(
                Collectors.groupingBy(
                    token -> token.content().charAt(0), HashMap::new, Collectors.toList()));
  }

  List<Piece> split(List<TextPart> parts) {
    String text = parts.stream().map(TextPart::text).collect(Collectors.joining());
    List<Piece> pieces = new ArrayList<>();
    TrustedRuns trusted = new TrustedRuns(parts);
    int done = 0;
    int at = 0;
    while (at < text.length()) {
      AddedToken token = match(text, at, trusted);
      if (token == null) {
        at++;
        continue;
      }
      int start = at;
      at += token.content().length();
      if (!token.special()) {
        continue;
      }
      if (token.leftStrip()) {
        start = Math.max(done, whiteSpaceBefore(text, start));
      }
      if (token.rightStrip()) {
        at = whiteSpaceAfter(text, at);
      }
      addText(pieces, text, done, start);
      pieces.add(new Piece.Special(token.id()));
      done = at;
    }
    addText(pieces, text, done, text.length());
    return pieces;
  }

  private static void addText(List<Piece> pieces, String text, int start, int end) {
    if (start < end) {
      pieces.add(new Piece.Text(text.substring(start, end), start));
    }
  }

  private @Nullable AddedToken match(String text, int at, TrustedRuns trusted) {
    List<AddedToken> candidates = byFirstLetter.getOrDefault(text.charAt(at), List.of());
    for (AddedToken token : candidates) {
      int end = at + token.content().length();
      if (text.startsWith(token.content(), at)
          && (!token.special() || trusted.covers(at, end))
          && (!token.singleWord() || standsAlone(text, at, end))) {
        return token;
      }
    }
    return null;
  }

  private static boolean standsAlone(String text, int start, int end) {
    return (start == 0 || !isWord(text.codePointBefore(start)))
        && (end == text.length() || !isWord(text.codePointAt(end)));
  }

  private static boolean isWord(int letter) {
    return Character.isLetterOrDigit(letter) || letter == '_';
  }

  private static int whiteSpaceBefore(String text, int end) {
    int start = end;
    while (start > 0 && isWhiteSpace(text.charAt(start - 1))) {
      start--;
    }
    return start;
  }

  private static int whiteSpaceAfter(String text, int start) {
    int end = start;
    while (end < text.length() && isWhiteSpace(text.charAt(end))) {
      end++;
    }
    return end;
  }

  /// White space as regular expressions with Unicode classes have it, non-breaking ones included.
  private static boolean isWhiteSpace(char letter) {
    return Character.isSpaceChar(letter)
        || (letter >= '\t' && letter <= '\r')
        || letter == '\u0085';
  }

  /// Which stretches of the joined text are trusted; adjacent trusted parts are one.
  private static final class TrustedRuns {
    private final List<int[]> runs = new ArrayList<>();

    TrustedRuns(List<TextPart> parts) {
      int at = 0;
      for (TextPart part : parts) {
        int end = at + part.text().length();
        if (part.trusted()) {
          if (!runs.isEmpty() && runs.getLast()[1] == at) {
            runs.getLast()[1] = end;
          } else {
            runs.add(new int[] {at, end});
          }
        }
        at = end;
      }
    }

    boolean covers(int start, int end) {
      int low = 0;
      int high = runs.size() - 1;
      while (low <= high) {
        int middle = (low + high) >>> 1;
        int[] run = runs.get(middle);
        if (run[1] <= start) {
          low = middle + 1;
        } else if (run[0] > start) {
          high = middle - 1;
        } else {
          return end <= run[1];
        }
      }
      return false;
    }
  }
}
