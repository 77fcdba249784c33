package dev.weft.runtime.source;

import dev.weft.functions.ModelSource;
import java.util.OptionalLong;

/// Hears how a fetch goes on, on the fetching thread; a rate is for the caller to make.
public interface FetchListener {
  /// For callers that want only the end.
  FetchListener NONE = new FetchListener() {};

  /// `source` was passed over for the next one; the message is one line for people.
  default void onSkipped(ModelSource source, SourceException reason) {}

  /// Something a person may want to know, in one line: which file of several was chosen, that a
  /// download goes on where it stopped.
  default void onNote(ModelSource source, String note) {}

  /// Called at most some ten times a second, and once at the end of a download.
  default void onProgress(ModelSource source, Progress progress) {}

  /// How far a source's download is.
  ///
  /// @param bytesDone on disk, those of an earlier, interrupted download included
  /// @param bytesTotal empty while unknown
  record Progress(long bytesDone, OptionalLong bytesTotal) {}
}
