package dev.weft.runtime;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;

/// What the parts of the runtime may know of each other, so that each can be read on its own.
@AnalyzeClasses(packages = "dev.weft.runtime", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
  @ArchTest
  static final ArchRule NATIVE_CODE_IS_LINKED_IN_FOREIGN_ONLY =
      noClasses()
          .that()
          .resideOutsideOfPackage("dev.weft.runtime.foreign..")
          .should()
          .dependOnClassesThat()
          .belongToAnyOf(Linker.class, SymbolLookup.class);

  @ArchTest
  static final ArchRule HTTP_IS_IN_THE_SERVER_ONLY =
      noClasses()
          .that()
          .resideOutsideOfPackage("dev.weft.runtime.server..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("io.vertx..", "io.netty..");

  /// So that it is loaded by who signs a request, and not when a runtime starts.
  @ArchTest
  static final ArchRule AMAZONS_LIBRARY_IS_THE_SIGNERS_ONLY =
      noClasses()
          .that()
          .doNotHaveFullyQualifiedName("dev.weft.runtime.source.S3Signer")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("software.amazon..");

  @ArchTest
  static final ArchRule NOTHING_BUT_THE_INSTANCES_KNOWS_THE_SERVER =
      noClasses()
          .that()
          .resideOutsideOfPackages("dev.weft.runtime.server..", "dev.weft.runtime.instance..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("dev.weft.runtime.server..");

  @ArchTest
  static final ArchRule SCHEDULING_KNOWS_NO_TENSORS =
      noClasses()
          .that()
          .resideInAPackage("dev.weft.runtime.scheduling..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "dev.weft.runtime.tensor..",
              "dev.weft.runtime.weights..",
              "dev.weft.runtime.model..",
              "java.lang.foreign..");

  @ArchTest
  static final ArchRule MEMORY_KNOWS_NO_REQUESTS =
      noClasses()
          .that()
          .resideInAPackage("dev.weft.runtime.memory..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "dev.weft.runtime.engine..",
              "dev.weft.runtime.scheduling..",
              "dev.weft.runtime.sampling..",
              "dev.weft.runtime.server..");

  @ArchTest
  static final ArchRule MODEL_FILES_KNOW_NO_BACKEND =
      noClasses()
          .that()
          .resideInAnyPackage(
              "dev.weft.runtime.tensor..", "dev.weft.runtime.weights..", "dev.weft.runtime.model..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "dev.weft.runtime.backend..",
              "dev.weft.runtime.engine..",
              "dev.weft.runtime.memory..",
              "dev.weft.runtime.source..");

  @ArchTest
  static final ArchRule POLICIES_ARE_THOSE_THAT_A_RUNTIME_DECIDES_WITH =
      noClasses()
          .should()
          .dependOnClassesThat(
              JavaClass.Predicates.resideInAPackage("dev.weft.autoscaler..")
                  .and(
                      JavaClass.Predicates.resideOutsideOfPackages(
                          "dev.weft.autoscaler.admission..",
                          "dev.weft.autoscaler.memory..",
                          "dev.weft.autoscaler.profile..",
                          "dev.weft.autoscaler.scheduling..",
                          "dev.weft.autoscaler.scaling..")));

  @ArchTest
  static final ArchRule KNOWS_NO_PLATFORM_AND_NO_DEVICE =
      noClasses()
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "dev.weft.platform..", "dev.weft.runtime.cpu..", "dev.weft.runtime.gpu..");

  @ArchTest
  static final ArchRule HAS_NO_PACKAGE_CYCLES =
      slices().matching("dev.weft.runtime.(*)..").should().beFreeOfCycles();
}
