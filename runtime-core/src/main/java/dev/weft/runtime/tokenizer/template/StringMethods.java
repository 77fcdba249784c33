package dev.weft.runtime.tokenizer.template;

import static dev.weft.runtime.tokenizer.template.Methods.method;

import dev.weft.runtime.tokenizer.ChatTemplate.ChatTemplateException;
import dev.weft.runtime.tokenizer.template.Value.Sequence;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/// Python's string methods. Those that cut and join follow where each letter came from; those that
/// change letters give a text that is the caller's if any of it was.
final class StringMethods {
  private final Budget budget;
  private final Operators operators;

  StringMethods(Budget budget, Operators operators) {
    this.budget = budget;
    this.operators = operators;
  }

  @Nullable Value find(Text text, String name) {
    String string = text.string();
    return switch (name) {
      case "strip" -> method(name, a -> strip(text, a, true, true));
      case "lstrip" -> method(name, a -> strip(text, a, true, false));
      case "rstrip" -> method(name, a -> strip(text, a, false, true));
      case "split" -> method(name, a -> Sequence.list(split(text, a, false)));
      case "rsplit" -> method(name, a -> Sequence.list(split(text, a, true)));
      case "splitlines" ->
          method(name, a -> Sequence.list(lines(text, a.flag(0, "keepends", false))));
      case "partition" -> method(name, a -> partition(text, a, false));
      case "rpartition" -> method(name, a -> partition(text, a, true));
      case "replace" -> method(name, a -> replace(text, a));
      case "join" -> method(name, a -> join(text, operators.iterate(a.required(0, "iterable"))));
      case "upper" -> method(name, _ -> changed(text, string.toUpperCase(Locale.ROOT)));
      case "lower" -> method(name, _ -> changed(text, string.toLowerCase(Locale.ROOT)));
      case "title" -> method(name, _ -> changed(text, Capitals.title(string)));
      case "capitalize" -> method(name, _ -> changed(text, Capitals.capitalize(string)));
      case "startswith" -> method(name, a -> Value.of(matches(a, string::startsWith)));
      case "endswith" -> method(name, a -> Value.of(matches(a, string::endsWith)));
      case "removeprefix" -> method(name, a -> removePrefix(text, a.string(0, "prefix", "")));
      case "removesuffix" -> method(name, a -> removeSuffix(text, a.string(0, "suffix", "")));
      case "find" -> method(name, a -> Value.of(position(string, searched(text, a), false)));
      case "rfind" -> method(name, a -> Value.of(position(string, searched(text, a), true)));
      case "index" ->
          method(name, a -> Value.of(required(position(string, searched(text, a), false))));
      case "count" -> method(name, a -> Value.of(count(string, searched(text, a))));
      case "isdigit" -> method(name, _ -> Value.of(all(string, Character::isDigit)));
      case "isalpha" -> method(name, _ -> Value.of(all(string, Character::isLetter)));
      case "isalnum" -> method(name, _ -> Value.of(all(string, Character::isLetterOrDigit)));
      case "isspace" -> method(name, _ -> Value.of(all(string, c -> WhiteSpace.is((char) c))));
      case "isupper" -> method(name, _ -> Value.of(Capitals.isUpper(string)));
      case "islower" -> method(name, _ -> Value.of(Capitals.isLower(string)));
      default -> null;
    };
  }

  private Text changed(Text text, String result) {
    budget.work(result.length());
    return text.derived(result);
  }

  Text strip(Text text, Arguments arguments, boolean left, boolean right) {
    Value letters = arguments.get(0, "chars", Value.None.NONE);
    IntPredicate stripped =
        letters instanceof Text set
            ? letter -> set.string().indexOf(letter) >= 0
            : letter -> letter <= Character.MAX_VALUE && WhiteSpace.is((char) letter);
    String string = text.string();
    budget.search(string.length(), letters instanceof Text set ? set.string().length() : 1);
    int start = 0;
    int end = string.length();
    while (left && start < end && stripped.test(string.codePointAt(start))) {
      start = string.offsetByCodePoints(start, 1);
    }
    while (right && start < end && stripped.test(string.codePointBefore(end))) {
      end = string.offsetByCodePoints(end, -1);
    }
    return text.substring(start, end);
  }

  private List<Value> split(Text text, Arguments arguments, boolean fromRight) {
    int most = arguments.integer(1, "maxsplit", -1);
    int limit = most < 0 ? Integer.MAX_VALUE : most;
    if (!(arguments.get(0, "sep", Value.None.NONE) instanceof Text separator)) {
      return words(text, limit, fromRight);
    }
    return fromRight
        ? splitFromRight(text, separator.string(), limit)
        : splitAt(text, separator.string(), limit);
  }

  private List<Value> splitAt(Text text, String separator, int limit) {
    checkSearch(text, separator);
    List<Value> parts = new ArrayList<>();
    int start = 0;
    while (parts.size() < limit) {
      int found = text.string().indexOf(separator, start);
      if (found < 0) {
        break;
      }
      budget.step();
      parts.add(text.substring(start, found));
      start = found + separator.length();
    }
    parts.add(text.substring(start, text.string().length()));
    return parts;
  }

  private List<Value> splitFromRight(Text text, String separator, int limit) {
    checkSearch(text, separator);
    List<Value> parts = new ArrayList<>();
    int end = text.string().length();
    while (parts.size() < limit) {
      int found = text.string().lastIndexOf(separator, end - separator.length());
      if (found < 0) {
        break;
      }
      budget.step();
      parts.add(text.substring(found + separator.length(), end));
      end = found;
    }
    parts.add(text.substring(0, end));
    Collections.reverse(parts);
    return parts;
  }

  /// Words between white space; what remains past the limit stays whole.
  private List<Value> words(Text text, int limit, boolean fromRight) {
    String string = text.string();
    budget.work(string.length());
    List<int[]> words = new ArrayList<>();
    for (int at = WhiteSpace.skip(string, 0); at < string.length(); ) {
      budget.step();
      int end = at;
      while (end < string.length() && !WhiteSpace.is(string.charAt(end))) {
        end++;
      }
      words.add(new int[] {at, end});
      at = WhiteSpace.skip(string, end);
    }
    if (words.size() > limit) {
      int rest = fromRight ? words.size() - limit : limit;
      int whole = fromRight ? words.get(rest - 1)[1] : string.length();
      int start = fromRight ? 0 : words.get(rest)[0];
      List<int[]> kept = fromRight ? words.subList(rest, words.size()) : words.subList(0, rest);
      List<int[]> cut = new ArrayList<>(kept);
      cut.add(fromRight ? 0 : cut.size(), new int[] {start, whole});
      words = cut;
    }
    List<Value> parts = new ArrayList<>(words.size());
    words.forEach(word -> parts.add(text.substring(word[0], word[1])));
    return parts;
  }

  List<Value> lines(Text text, boolean keepEnds) {
    String string = text.string();
    budget.work(string.length());
    List<Value> lines = new ArrayList<>();
    int start = 0;
    while (start < string.length()) {
      int end = start;
      while (end < string.length() && !WhiteSpace.endsLine(string.charAt(end))) {
        end++;
      }
      int next = string.startsWith("\r\n", end) ? end + 2 : Math.min(end + 1, string.length());
      budget.step();
      lines.add(text.substring(start, keepEnds ? next : end));
      start = next;
    }
    return lines;
  }

  private Value partition(Text text, Arguments arguments, boolean last) {
    String separator = arguments.string(0, "sep", "");
    checkSearch(text, separator);
    String string = text.string();
    int found = last ? string.lastIndexOf(separator) : string.indexOf(separator);
    if (found < 0) {
      return last
          ? Sequence.tuple(Text.EMPTY, Text.EMPTY, text)
          : Sequence.tuple(text, Text.EMPTY, Text.EMPTY);
    }
    int after = found + separator.length();
    return Sequence.tuple(
        text.substring(0, found),
        text.substring(found, after),
        text.substring(after, string.length()));
  }

  Text replace(Text text, Arguments arguments) {
    String old = arguments.string(0, "old", "");
    Text replacement = PythonText.str(arguments.required(1, "new"), budget);
    int most = arguments.integer(2, "count", -1);
    int limit = most < 0 ? Integer.MAX_VALUE : most;
    List<Value> parts = old.isEmpty() ? aroundLetters(text, limit) : splitAt(text, old, limit);
    return join(replacement, parts);
  }

  /// Replacing the empty string puts the replacement around every letter.
  private List<Value> aroundLetters(Text text, int limit) {
    budget.work(text.string().length());
    List<Value> parts = new ArrayList<>(List.of(Text.EMPTY));
    List<Value> letters = text.letters();
    int single = Math.min(letters.size(), Math.max(limit - 1, 0));
    parts.addAll(letters.subList(0, single));
    Text.Builder rest = new Text.Builder();
    letters.subList(single, letters.size()).forEach(letter -> rest.append((Text) letter));
    if (limit > letters.size()) {
      parts.add(Text.EMPTY);
    } else if (limit == 0) {
      return List.of(text);
    } else {
      parts.add(rest.build());
    }
    return parts;
  }

  Text join(Text separator, List<Value> items) {
    Text.Builder joined = new Text.Builder();
    for (int i = 0; i < items.size(); i++) {
      if (!(items.get(i) instanceof Text item)) {
        throw new ChatTemplateException(
            "'join' takes strings, not " + Members.described(items.get(i)) + ".");
      }
      budget.work((long) item.string().length() + separator.string().length());
      if (i > 0) {
        joined.append(separator);
      }
      joined.append(item);
    }
    return joined.build();
  }

  private interface Match {
    boolean test(String affix);
  }

  /// One string, or any of a tuple.
  private boolean matches(Arguments arguments, Match match) {
    Value affixes = arguments.required(0, "prefix");
    List<Value> all = affixes instanceof Sequence(List<Value> items, _) ? items : List.of(affixes);
    for (Value affix : all) {
      if (!(affix instanceof Text text)) {
        throw new ChatTemplateException(
            "A string or a tuple of strings is expected, not " + Members.described(affix) + ".");
      }
      budget.work(text.string().length());
      if (match.test(text.string())) {
        return true;
      }
    }
    return false;
  }

  private static Text removePrefix(Text text, String prefix) {
    return text.string().startsWith(prefix)
        ? text.substring(prefix.length(), text.string().length())
        : text;
  }

  private static Text removeSuffix(Text text, String suffix) {
    return text.string().endsWith(suffix)
        ? text.substring(0, text.string().length() - suffix.length())
        : text;
  }

  private String searched(Text text, Arguments arguments) {
    String part = arguments.string(0, "sub", "");
    budget.search(text.string().length(), part.length());
    return part;
  }

  /// The code point index of the part, or -1.
  private static int position(String string, String part, boolean last) {
    int found = last ? string.lastIndexOf(part) : string.indexOf(part);
    return found < 0 ? -1 : string.codePointCount(0, found);
  }

  private static int required(int position) {
    if (position < 0) {
      throw new ChatTemplateException("'index' does not find the text.");
    }
    return position;
  }

  private static int count(String string, String part) {
    if (part.isEmpty()) {
      return string.codePointCount(0, string.length()) + 1;
    }
    int count = 0;
    for (int at = string.indexOf(part); at >= 0; at = string.indexOf(part, at + part.length())) {
      count++;
    }
    return count;
  }

  private static boolean all(String string, IntPredicate kind) {
    return !string.isEmpty() && string.codePoints().allMatch(kind);
  }

  private void checkSearch(Text text, String separator) {
    if (separator.isEmpty()) {
      throw new ChatTemplateException("The separator is empty.");
    }
    budget.search(text.string().length(), separator.length());
  }
}
