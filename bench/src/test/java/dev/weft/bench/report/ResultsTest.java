package dev.weft.bench.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Document;
import org.xml.sax.InputSource;

/// A directory's report says all that its parts hold, and what is not there.
class ResultsTest {
  @TempDir Path directory;

  private static PartResult part(String name, double figure) {
    PartRecorder recorder = new PartRecorder();
    for (double value : new double[] {figure, figure + 2, figure + 1}) {
      recorder.add("model <a>", "decode, tok/s", 1, "weft", value);
    }
    recorder.add("model <a>", "decode, tok/s", 1, "peer & co", 5);
    recorder.find(Finding.atLeast("1/a", "speed", figure, 10, " x"));
    return recorder.result(name, "Part " + name, Map.of("commit", "abc"));
  }

  private String report() throws IOException {
    return Files.readString(directory.resolve("results.md"));
  }

  @Test
  void saysMediansWithSpreadAndWhetherTargetsAreMet() throws IOException {
    Results results = new Results("Measured", directory, List.of("one", "two"));
    results.save(part("one", 12));
    results.render();
    assertThat(report())
        .contains("| model <a> | 13.0 (12.0 to 14.0) | 5.0 |")
        .contains("| speed | 12.0 x | >= 10.0 x | met |")
        .contains("part `two` | | | not run");
  }

  @Test
  void aPartThatRunsAgainReplacesItselfAlone() throws IOException {
    Results results = new Results("Measured", directory, List.of("one", "two"));
    results.save(part("one", 12));
    results.save(part("two", 12));
    results.save(part("one", 20));
    results.render();
    assertThat(report()).contains("21.0 (20.0 to 22.0)").contains("13.0 (12.0 to 14.0)");
  }

  @Test
  void aMissedTargetAsksForItsReasonUntilOneIsGiven() throws IOException {
    Results results = new Results("Measured", directory, List.of("one"));
    results.save(part("one", 8));
    results.render();
    assertThat(report()).contains("**missed** | to be found (`1/a` in `bounds.json`)");
    Files.writeString(directory.resolve("bounds.json"), "{\"1/a\": \"memory\"}");
    results.render();
    assertThat(report()).contains("**missed** | memory |").doesNotContain("to be found");
  }

  @Test
  void plotsAreWellFormedAndAsLongAsTheirValues() throws Exception {
    Results results = new Results("Measured", directory, List.of("one"));
    results.save(part("one", 9));
    results.render();
    String svg = Files.readString(directory.resolve("one-1.svg"));
    Document document =
        DocumentBuilderFactory.newInstance()
            .newDocumentBuilder()
            .parse(new InputSource(new StringReader(svg)));
    var bars = document.getElementsByTagName("rect");
    assertThat(bars.getLength()).isEqualTo(3); // the paper and two bars
    double weft = width(bars.item(1));
    double peer = width(bars.item(2));
    assertThat(weft / peer).isBetween(1.9, 2.1);
  }

  private static double width(org.w3c.dom.Node bar) {
    return Double.parseDouble(bar.getAttributes().getNamedItem("width").getNodeValue());
  }
}
