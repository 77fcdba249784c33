/// Functions as Kubernetes objects: what their custom resources have beside the manifest. The
/// definitions of the resources are generated from these records and from the manifest's.
@NullMarked
package dev.weft.functions.cluster;

import org.jspecify.annotations.NullMarked;
