package dev.weft.platform.console;

import static dev.weft.platform.stub.PlatformClient.chat;
import static dev.weft.platform.stub.PlatformClient.chatStream;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.weft.platform.stub.PlatformTest;
import io.quarkus.test.junit.QuarkusTest;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The console in a browser: entered by keyboard, live, narrow, in dark and in light.
@QuarkusTest
class ConsolePageTest extends PlatformTest {
  private static final int TAB = 9;
  private static final int ENTER = 13;

  /// Every text that is shown, with the contrast of its colour with what lies behind it (WCAG 2).
  private static final String LOWEST_CONTRAST =
      """
      (() => {
        const parse = (color) => color.match(/[\\d.]+/g).map(Number);
        const channel = (c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
        const luminance = ([r, g, b]) =>
          0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
        const behind = (element) => {
          for (; element; element = element.parentElement) {
            const color = parse(getComputedStyle(element).backgroundColor);
            if (color.length === 3 || color[3] === 1) return color;
          }
          return [255, 255, 255];
        };
        let lowest = 99;
        for (const element of document.querySelectorAll('body *')) {
          const own = [...element.childNodes].some(
            (node) => node.nodeType === 3 && node.data.trim() !== '');
          if (!own || element.offsetParent === null) continue;
          const a = luminance(parse(getComputedStyle(element).color));
          const b = luminance(behind(element));
          lowest = Math.min(lowest, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
        }
        return lowest;
      })()
      """;

  @TempDir Path profile;

  private Browser browser;

  @BeforeEach
  void open() throws IOException, InterruptedException {
    Optional<Path> chromium = Browser.find();
    assumeTrue(
        chromium.isPresent(),
        "no Chromium found; install one, for example: apt-get install chromium-headless-shell");
    browser = Browser.start(chromium.get(), profile.resolve("profile"));
    browser.open(client().base().resolve("/console"));
  }

  @AfterEach
  void close() {
    if (browser != null) {
      browser.close();
    }
  }

  /// With nothing but the keyboard: the page begins in the field.
  private void enter(String key) {
    browser.await("document.activeElement.id === 'key'");
    browser.type(key);
    browser.press("Tab", TAB);
    browser.press("Enter", ENTER);
  }

  @Test
  void showsDevicesFunctionsAndDecisionsAsTheyChange() {
    client().warm("shown", "quick");
    enter(client().key());
    browser.await("document.querySelector('#devices .bar') !== null");
    assertThat(browser.text("#state")).isEqualTo("live");
    assertThat(browser.text("#devices")).contains("cpu-0", "shown-00001", "ready");
    assertThat(
            browser.evaluate("document.querySelector('.bar').getAttribute('aria-label')").asText())
        .contains("shown: weights");
    assertThat(browser.text("#functions")).contains("shown", "generation", "Serving");

    client().deployed("later", "quick");
    browser.await("document.querySelector('#functions').innerText.includes('later')");

    String request =
        client()
            .post("/v1/chat/completions", chat("shown", "hello"))
            .raw()
            .headers()
            .firstValue("x-request-id")
            .orElseThrow();
    JsonNode routed = client().get("/api/v1/decisions/" + request).json().at("/decisions/0");
    String why = routed.path("reason").asText();
    assertThat(why).isNotBlank();
    assertThat(routed.path("code").asText()).isEqualTo("fullest_batch");
    assertThat(routed.at("/values/running").asDouble()).isZero();
    browser.await("document.querySelector('#decisions').innerText.includes('routed')");
    assertThat(browser.text("#decisions")).contains("shown", why);
    assertThat(browser.complaints()).isEmpty();
  }

  @Test
  void showsHowMuchTimeAnInstanceHasLeft() throws IOException {
    client().warm("hurried", "quick");
    enter(client().key());
    String headroom =
        "[...document.querySelectorAll('#devices tbody tr')]"
            + ".find((row) => row.innerText.includes('hurried')).cells[4].innerText";
    browser.await("document.querySelector('#devices tbody') !== null && " + headroom + " === '-'");
    try (var _ =
        client()
            .open("/v1/chat/completions", chatStream("hurried", "words 600 every 100"))
            .body()) {
      browser.await(headroom + " === '1.5 s'");
    }
    browser.await(headroom + " === '-'");
  }

  @Test
  void decisionsOfOneFunctionAlone() {
    client().warm("explained", "quick");
    client().warm("unexplained", "quick");
    enter(client().key());
    browser.await("document.querySelectorAll('#subject option').length >= 3");
    browser.evaluate(
        "document.querySelector('#subject').value = 'explained';"
            + "document.querySelector('#subject').dispatchEvent(new Event('change'))");
    browser.await(
        "[...document.querySelectorAll('#decisions tbody tr')].length > 0"
            + " && [...document.querySelectorAll('#decisions tbody tr')]"
            + ".every((row) => row.cells[1].innerText === 'explained')");
  }

  @Test
  void readableNarrowInDarkAndInLight() {
    client().warm("a-function-with-a-rather-long-name-that-has-to-fit", "quick");
    client().post("/v1/chat/completions", chat("nobody", "hello"));
    enter(client().key());
    browser.await("document.querySelector('#devices .bar') !== null");
    browser.width(400);
    for (String scheme : new String[] {"light", "dark"}) {
      browser.scheme(scheme);
      assertThat(browser.evaluate("document.documentElement.scrollWidth").asInt())
          .as(scheme)
          .isLessThanOrEqualTo(400);
      assertThat(browser.evaluate(LOWEST_CONTRAST).asDouble())
          .as(scheme)
          .isGreaterThanOrEqualTo(4.5);
    }
    assertThat(browser.evaluate("getComputedStyle(document.body).backgroundColor").asText())
        .isEqualTo("rgb(20, 22, 26)");
  }

  @Test
  void keyThatIsRefusedIsAskedForAgain() {
    enter("weft_" + "0".repeat(43));
    browser.await("document.querySelector('#refused').innerText.includes('not known')");
    assertThat(browser.evaluate("sessionStorage.length").asInt()).isZero();
    enter(client().key());
    browser.await("document.querySelector('#state').innerText === 'live'");
    browser.evaluate("document.querySelector('#leave').click()");
    assertThat(browser.evaluate("sessionStorage.length").asInt()).isZero();
    assertThat(browser.evaluate("document.querySelector('#console').hidden").asBoolean()).isTrue();
  }

  /// A function's name or a reason is text, whatever it holds, and the page loads nothing from
  /// elsewhere.
  @Test
  void pageAllowsOnlyItsOwnCode() {
    String policy =
        client()
            .withKey(null)
            .get("/console")
            .raw()
            .headers()
            .firstValue("content-security-policy")
            .orElseThrow();
    assertThat(policy).contains("default-src 'none'", "script-src 'self'").doesNotContain("unsafe");
    browser.evaluate(
        "const script = document.createElement('script'); script.textContent = 'window.broken = 1';"
            + " document.body.append(script)");
    assertThat(browser.evaluate("window.broken === undefined").asBoolean()).isTrue();
  }
}
