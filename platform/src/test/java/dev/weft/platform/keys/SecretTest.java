package dev.weft.platform.keys;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.FunctionName;
import java.time.Instant;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class SecretTest {
  @Test
  void secretsAreLongAndNeverTheSame() {
    Set<String> seen = new HashSet<>();
    for (int i = 0; i < 1_000; i++) {
      String secret = Secret.generate();
      assertThat(secret).matches("weft_[0-9A-Za-z]{43}");
      assertThat(seen.add(secret)).isTrue();
    }
  }

  @Test
  void ringFindsAKeyByItsSecretAndNothingElse() {
    KeyRing ring = new KeyRing();
    ApiKey key = new ApiKey("key_1", "one", Set.of(Scope.INVOKE), null, Instant.EPOCH);
    ring.publish(Map.of(Secret.hash("weft_right"), key));
    assertThat(ring.find("weft_right")).hasValue(key);
    assertThat(ring.find("weft_wrong")).isEmpty();
    assertThat(ring.findByAuthorization("bearer weft_right")).hasValue(key);
    assertThat(ring.findByAuthorization("weft_right")).isEmpty();
    assertThat(ring.findByAuthorization("Basic weft_right")).isEmpty();
    ring.publish(Map.of());
    assertThat(ring.find("weft_right")).as("revoked").isEmpty();
  }

  @Test
  void keyForSomeFunctionsIsForNoOthers() {
    FunctionName mine = new FunctionName("mine");
    ApiKey key = new ApiKey("key_1", "one", Set.of(Scope.INVOKE), Set.of(mine), Instant.EPOCH);
    assertThat(key.mayInvoke(mine)).isTrue();
    assertThat(key.mayInvoke(new FunctionName("yours"))).isFalse();
    ApiKey admin = new ApiKey("key_2", "two", Set.of(Scope.ADMIN), null, Instant.EPOCH);
    assertThat(admin.mayInvoke(mine)).isFalse();
  }
}
