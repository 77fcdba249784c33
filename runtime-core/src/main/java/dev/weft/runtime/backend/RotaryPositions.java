package dev.weft.runtime.backend;

import dev.weft.runtime.model.DecoderSpec.Rope;

/// Turns pairs of a head's elements by an angle that grows with the position (Su et al., 2021).
final class RotaryPositions {
  private final double[] frequencies;
  private final boolean interleaved;

  RotaryPositions(Rope rope) {
    frequencies = new double[rope.dimensions() / 2];
    interleaved = rope.interleaved();
    for (int pair = 0; pair < frequencies.length; pair++) {
      double factor = rope.frequencyFactors().isEmpty() ? 1 : rope.frequencyFactors().get(pair);
      frequencies[pair] = 1 / (Math.pow(rope.theta(), 2.0 * pair / rope.dimensions()) * factor);
    }
  }

  /// Turns every head of `row` (`headSize` elements each), in place.
  void turn(float[] row, int headSize, int position) {
    for (int pair = 0; pair < frequencies.length; pair++) {
      float cosine = (float) Math.cos(position * frequencies[pair]);
      float sine = (float) Math.sin(position * frequencies[pair]);
      int first = interleaved ? 2 * pair : pair;
      int second = interleaved ? first + 1 : pair + frequencies.length;
      for (int head = 0; head < row.length; head += headSize) {
        float x = row[head + first];
        float y = row[head + second];
        row[head + first] = x * cosine - y * sine;
        row[head + second] = x * sine + y * cosine;
      }
    }
  }
}
