/// Tests against a real apiserver and etcd, which they start for themselves.
@NullMarked
package dev.weft.platform.cluster;

import org.jspecify.annotations.NullMarked;
