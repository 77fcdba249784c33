package dev.weft.runtime.source;

import dev.weft.functions.ModelSource;
import dev.weft.runtime.source.SourceException.Code;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// `hf://org/name[@revision][/path]`, parsed.
///
/// @param revision a branch, a tag or a commit; a slash in it is written `%2F`
/// @param inside a file or folder of the repository, empty for all of it
record HubAddress(String repository, String revision, String inside) {
  private static final Pattern ADDRESS =
      Pattern.compile(
          "hf://(?<org>[A-Za-z0-9][A-Za-z0-9._-]*)/(?<name>[A-Za-z0-9][A-Za-z0-9._-]*)"
              + "(@(?<revision>[A-Za-z0-9][A-Za-z0-9._%-]*))?(/(?<inside>.+))?");
  private static final Pattern COMMIT = Pattern.compile("[0-9a-f]{40}");

  static HubAddress of(ModelSource source) {
    Matcher matcher = ADDRESS.matcher(source.uri());
    if (!matcher.matches()) {
      throw new SourceException(Code.UNUSABLE, "not of the form hf://org/name@revision/file");
    }
    String revision =
        matcher.group("revision") == null
            ? "main"
            : URLDecoder.decode(matcher.group("revision"), StandardCharsets.UTF_8);
    String inside = matcher.group("inside") == null ? "" : matcher.group("inside");
    if (!ModelFileNames.isPlainPath(revision)
        || (!inside.isEmpty() && !ModelFileNames.isPlainPath(inside))) {
      throw new SourceException(Code.UNUSABLE, "the revision or the file is not a plain path");
    }
    return new HubAddress(matcher.group("org") + "/" + matcher.group("name"), revision, inside);
  }

  static boolean isCommit(String revision) {
    return COMMIT.matcher(revision).matches();
  }
}
