package dev.weft.runtime.tokenizer;

import ai.djl.huggingface.tokenizers.jni.LibUtils;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Properties;
import org.jspecify.annotations.Nullable;

/// Loads the native tokenizer out of its jar, once a process.
///
/// DJL would look for its library in a cache under the home directory and, failing that, on the
/// network. So the file is extracted here, and DJL is told its path: then it looks nowhere else.
final class NativeTokenizerLibrary {
  private static final String RESOURCE = "native/lib/linux-x86_64/cpu/libtokenizers.so";
  private static final String VERSION_RESOURCE = "native/lib/tokenizers.properties";

  private static @Nullable TokenizersLibrary loaded;

  private NativeTokenizerLibrary() {}

  static synchronized TokenizersLibrary load() {
    if (loaded == null) {
      System.setProperty("ai.djl.offline", "true");
      System.setProperty("RUST_LIBRARY_PATH", extracted(directory()).toString());
      LibUtils.checkStatus();
      loaded = TokenizersLibrary.LIB;
    }
    return loaded;
  }

  private static Path directory() {
    String home = System.getenv("WEFT_HOME");
    String configured = System.getProperty(Tokenizers.NATIVES_PROPERTY);
    if (configured != null) {
      return Path.of(configured);
    }
    return home != null && !home.isBlank()
        ? Path.of(home, "natives")
        : Path.of(System.getProperty("user.home"), ".weft", "natives");
  }

  /// The library in a directory of its version. It is moved there whole, so what another process
  /// finds under that name is complete.
  private static Path extracted(Path natives) {
    try {
      Path file = natives.resolve("tokenizers-" + version()).resolve("libtokenizers.so");
      if (Files.isRegularFile(file)) {
        return file;
      }
      Files.createDirectories(file.getParent());
      Path partial = Files.createTempFile(file.getParent(), "libtokenizers", ".partial");
      try (InputStream in = resource(RESOURCE)) {
        Files.copy(in, partial, StandardCopyOption.REPLACE_EXISTING);
        Files.move(partial, file, StandardCopyOption.ATOMIC_MOVE);
      } finally {
        Files.deleteIfExists(partial);
      }
      return file;
    } catch (IOException e) {
      throw new UncheckedIOException(
          "The native tokenizer cannot be extracted under " + natives + ".", e);
    }
  }

  private static String version() throws IOException {
    try (InputStream in = resource(VERSION_RESOURCE)) {
      Properties properties = new Properties();
      properties.load(in);
      return properties.getProperty("version");
    }
  }

  private static InputStream resource(String name) {
    InputStream in = TokenizersLibrary.class.getClassLoader().getResourceAsStream(name);
    if (in == null) {
      throw new IllegalStateException("Missing from the class path: " + name);
    }
    return in;
  }
}
