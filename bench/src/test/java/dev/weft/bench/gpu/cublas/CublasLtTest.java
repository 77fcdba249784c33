package dev.weft.bench.gpu.cublas;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.runtime.foreign.NativeException;
import dev.weft.runtime.gpu.EmulatedGpu;
import dev.weft.runtime.gpu.cuda.CudaContext;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/// The library is called as its header says, as far as one can be sure of without a GPU.
class CublasLtTest {
  @Test
  void whoHasNoneIsToldWhatToInstall() {
    assertThatThrownBy(() -> CublasLt.find(Map.of(), List.of("libweft-no-such.so.1")))
        .isInstanceOf(NativeException.class)
        .hasMessageContaining("nvidia-cublas")
        .hasMessageContaining("CUDA's toolkit")
        .hasMessageContaining(CublasLt.VARIABLE)
        .satisfies(e -> assertThat(e.getSuppressed()).hasSize(1));
  }

  @Test
  void aLibraryThatIsNamedIsTheOnlyOneTried() {
    assertThatThrownBy(
            () -> CublasLt.find(Map.of(CublasLt.VARIABLE, "/nonexistent/libcublasLt.so.13")))
        .isInstanceOf(NativeException.class)
        .hasMessageContaining("libcublasLt.so.13 cannot be loaded");
  }

  @Test
  void anotherLibraryIsTold() {
    assertThatThrownBy(() -> CublasLt.find(Map.of(), List.of("libm.so.6")))
        .hasSuppressedException(
            new NativeException("libm.so.6", "has no function 'cublasLtGetVersion'"));
  }

  @Test
  void versionsAreRead() {
    assertThat(CublasLt.versionText(131_000)).isEqualTo("13.10.0");
    assertThat(CublasLt.versionText(120_805)).isEqualTo("12.8.5");
  }

  @Test
  void waysThatCannotBeUsedAreLeftOut() {
    CublasLt library = CublasLt.find(Map.of(CublasLt.VARIABLE, FakeCublasLt.file().toString()));
    assertThat(library.version()).isEqualTo("13.2.3");
    try (var context = new CudaContext(EmulatedGpu.driver(), 0);
        var cublas = new Cublas(library, context);
        CublasProduct product = cublas.product(24, 16, 3)) {
      assertThat(product.algorithms(8).stream().map(CublasProduct.Algorithm::splits))
          .containsExactly(1, 3);
      assertThat(product.algorithms(1)).hasSize(1);
    }
    assertThat(FakeCublasLt.alive()).isZero();
  }

  @Test
  void whatFailsSaysWhyAndLeavesNothing() {
    CublasLt library = CublasLt.find(Map.of(CublasLt.VARIABLE, FakeCublasLt.file().toString()));
    try (var context = new CudaContext(EmulatedGpu.driver(), 0);
        var cublas = new Cublas(library, context)) {
      assertThatThrownBy(() -> cublas.product(24, 16, 0))
          .isInstanceOf(NativeException.class)
          .hasMessage(
              "cublasLtMatrixLayoutCreate failed with status 7: CUBLAS_STATUS_INVALID_VALUE, a"
                  + " value is wrong");
      assertThat(FakeCublasLt.alive()).isEqualTo(1);
    }
    assertThat(FakeCublasLt.alive()).isZero();
  }
}
