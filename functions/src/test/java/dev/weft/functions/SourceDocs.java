package dev.weft.functions;

import com.sun.source.doctree.DocCommentTree;
import com.sun.source.doctree.DocTree;
import com.sun.source.doctree.ParamTree;
import com.sun.source.tree.ClassTree;
import com.sun.source.tree.CompilationUnitTree;
import com.sun.source.tree.VariableTree;
import com.sun.source.util.DocTrees;
import com.sun.source.util.JavacTask;
import com.sun.source.util.TreePathScanner;
import dev.weft.functions.cluster.Condition;
import dev.weft.functions.cluster.DevicePoolSpec;
import dev.weft.functions.cluster.DevicePoolStatus;
import dev.weft.functions.cluster.FunctionStatus;
import dev.weft.functions.cluster.RevisionSpec;
import dev.weft.functions.cluster.TrafficShare;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.jspecify.annotations.Nullable;

/// What the documentation comments of the manifest's records say, read from their source by the
/// compiler's own parser: so the schema and the reference say what the code says.
final class SourceDocs {
  private static final Path SOURCES = Path.of("src/main/java/dev/weft/functions");

  /// By `Type`, `Type.component` and `Type.CONSTANT`.
  private final Map<String, String> texts = new HashMap<>();

  private SourceDocs() {}

  static SourceDocs read() {
    SourceDocs docs = new SourceDocs();
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    try (StandardJavaFileManager files =
        compiler.getStandardFileManager(null, null, StandardCharsets.UTF_8)) {
      JavacTask task =
          (JavacTask)
              compiler.getTask(
                  null,
                  files,
                  null,
                  null,
                  null,
                  files.getJavaFileObjectsFromPaths(List.of(sourceFiles())));
      DocTrees trees = DocTrees.instance(task);
      for (CompilationUnitTree unit : task.parse()) {
        docs.new Scanner(trees).scan(unit, null);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return docs;
  }

  /// What a type is.
  String of(Class<?> type) {
    return text(type.getSimpleName());
  }

  /// What a component of a record, or a constant of an enum, is.
  String of(Class<?> type, String member) {
    return text(type.getSimpleName() + "." + member);
  }

  private String text(String key) {
    return Optional.ofNullable(texts.get(key))
        .filter(text -> !text.isEmpty())
        .orElseThrow(() -> new IllegalStateException("not documented: " + key));
  }

  private static Path source(Class<?> type) {
    String within = type.getName().substring(Function.class.getPackageName().length() + 1);
    return SOURCES.resolve(within.replace('.', '/') + ".java");
  }

  private static Path[] sourceFiles() {
    return List.of(
            Function.class,
            FunctionSpec.class,
            Model.class,
            ModelSource.class,
            Quantization.class,
            KvCache.class,
            ServiceLevel.class,
            Scaling.class,
            DeviceClass.class,
            Limits.class,
            Condition.class,
            DevicePoolSpec.class,
            DevicePoolStatus.class,
            FunctionStatus.class,
            RevisionSpec.class,
            TrafficShare.class)
        .stream()
        .map(SourceDocs::source)
        .toArray(Path[]::new);
  }

  private final class Scanner extends TreePathScanner<@Nullable Void, @Nullable Void> {
    private final DocTrees trees;

    Scanner(DocTrees trees) {
      this.trees = trees;
    }

    @Override
    public @Nullable Void visitClass(ClassTree type, @Nullable Void unused) {
      DocCommentTree comment = trees.getDocCommentTree(getCurrentPath());
      if (comment != null) {
        String name = type.getSimpleName().toString();
        texts.put(name, plain(comment.getFullBody()));
        for (DocTree tag : comment.getBlockTags()) {
          if (tag instanceof ParamTree param) {
            texts.put(name + "." + param.getName(), plain(param.getDescription()));
          }
        }
      }
      return super.visitClass(type, null);
    }

    @Override
    public @Nullable Void visitVariable(VariableTree variable, @Nullable Void unused) {
      DocCommentTree comment = trees.getDocCommentTree(getCurrentPath());
      if (comment != null && getCurrentPath().getParentPath().getLeaf() instanceof ClassTree type) {
        texts.put(type.getSimpleName() + "." + variable.getName(), plain(comment.getFullBody()));
      }
      return super.visitVariable(variable, null);
    }

    private static String plain(List<? extends DocTree> trees) {
      return trees.stream()
          .map(Object::toString)
          .collect(Collectors.joining())
          .replaceAll("\\[#?(\\w+)\\](?!\\()", "$1")
          .replaceAll("\\s+", " ")
          .strip();
    }
  }
}
