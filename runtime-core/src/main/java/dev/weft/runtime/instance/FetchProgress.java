package dev.weft.runtime.instance;

import dev.weft.functions.ModelSource;
import dev.weft.functions.RevisionId;
import dev.weft.runtime.source.FetchListener;
import dev.weft.runtime.source.SourceException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Makes what a fetch says into the progress of a load.
///
/// @param revision whose model is fetched
record FetchProgress(RevisionId revision, Report report) implements FetchListener {
  private static final Logger log = LoggerFactory.getLogger(FetchProgress.class);

  /// Hears how far it is.
  @FunctionalInterface
  interface Report {
    /// @param bytesTotal 0 while unknown
    void at(String detail, long bytesDone, long bytesTotal);
  }

  @Override
  public void onSkipped(ModelSource source, SourceException reason) {
    log.atInfo()
        .addKeyValue("revision", revision)
        .addKeyValue("source", source.shown())
        .addKeyValue("reason", reason.getMessage())
        .log("a source was passed over");
    report.at("%s passed over: %s".formatted(source.shown(), reason.getMessage()), 0, 0);
  }

  @Override
  public void onNote(ModelSource source, String note) {
    report.at("%s: %s".formatted(source.shown(), note), 0, 0);
  }

  @Override
  public void onProgress(ModelSource source, Progress progress) {
    report.at(source.shown(), progress.bytesDone(), progress.bytesTotal().orElse(0));
  }
}
