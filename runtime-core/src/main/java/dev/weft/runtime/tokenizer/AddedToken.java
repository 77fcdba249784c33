package dev.weft.runtime.tokenizer;

/// A token that is found in the text before the model's own splitting begins.
///
/// @param special whether it carries meaning beyond its letters, such as the end of a turn
/// @param leftStrip whether it takes the white space before it
/// @param rightStrip whether it takes the white space after it
/// @param singleWord whether it counts only where no letter or digit touches it
record AddedToken(
    int id,
    String content,
    boolean special,
    boolean leftStrip,
    boolean rightStrip,
    boolean singleWord) {
  static AddedToken of(int id, String content, boolean special) {
    return new AddedToken(id, content, special, false, false, false);
  }
}
