package dev.weft.runtime.backend;

import dev.weft.runtime.model.ModelSpec;
import dev.weft.runtime.weights.SourceFile;
import dev.weft.runtime.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// Weights in the host's memory, from where they get onto a device without their files being read
/// again. **thread**: any.
public interface HostTier {
  /// The system's cache of files. What it keeps is its own affair: that weights are there is said
  /// of those that were brought, until they have been on the device.
  HostTier OF_FILES =
      new HostTier() {
        @Override
        public boolean bring(ModelSpec spec, Weights weights) {
          for (String name : weights.names()) {
            MemorySegment data = weights.tensor(name).data();
            if (data.isMapped()) {
              data.load();
            }
          }
          return true;
        }

        @Override
        public boolean has(List<SourceFile> files, boolean brought) {
          return brought;
        }
      };

  /// Brings a model's weights there; false when there is no room for them. Blocks for as long as
  /// their files take to be read.
  boolean bring(ModelSpec spec, Weights weights);

  /// Whether weights of these files are there. Returns at once.
  ///
  /// @param brought whether the last that was done with them was to bring them there
  boolean has(List<SourceFile> files, boolean brought);
}
