package dev.weft.autoscaler.profile;

/// A measured curve: constant before its first point, straight between points. Beyond the last it
/// rises in proportion or as steeply as between the last two, whichever is more: a time that was
/// never measured is not taken for a short one.
final class Curve {
  private final double[] xs;
  private final double[] ys;
  private final double slopeBeyond;

  Curve(double[] xs, double[] ys) {
    this.xs = xs.clone();
    this.ys = ys.clone();
    int last = xs.length - 1;
    double proportion = ys[last] / xs[last];
    this.slopeBeyond =
        last == 0
            ? proportion
            : Math.max(proportion, (ys[last] - ys[last - 1]) / (xs[last] - xs[last - 1]));
  }

  double at(double x) {
    int last = xs.length - 1;
    if (x <= xs[0]) {
      return ys[0];
    }
    if (x >= xs[last]) {
      return ys[last] + (x - xs[last]) * slopeBeyond;
    }
    int right = 1;
    while (xs[right] < x) {
      right++;
    }
    double part = (x - xs[right - 1]) / (xs[right] - xs[right - 1]);
    return ys[right - 1] + part * (ys[right] - ys[right - 1]);
  }
}
