/// What an operator may set, and where the installation keeps its files.
///
/// Every setting has a default, so that `weft up` needs none. Settings become plain values at the
/// edge: the pure modules never see this package.
@NullMarked
package dev.weft.platform.config;

import org.jspecify.annotations.NullMarked;
