package dev.weft.functions.cluster;

import org.jspecify.annotations.Nullable;

/// A part of a function's calls.
///
/// @param revision the number of the revision that gets them; the newest when left out
/// @param percent how many of a hundred calls; the shares of a function make a hundred
public record TrafficShare(@Nullable Integer revision, Integer percent) {
  public TrafficShare {
    if (percent == null || percent < 0 || percent > 100) {
      throw new IllegalArgumentException("not a percentage: " + percent);
    }
  }
}
