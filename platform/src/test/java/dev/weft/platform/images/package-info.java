/// The container images of Weft, written by its build: no daemon, no base image, no network.
///
/// An image is three layers: what the programs need of the Debian system that they were compiled
/// on, a Java runtime of the modules that they use, and the programs. The same build on the same
/// system writes the same bytes. This is part of the build and of nothing that is shipped.
@NullMarked
package dev.weft.platform.images;

import org.jspecify.annotations.NullMarked;
