/// What a model is, as data. [ModelFiles] opens a model's files and makes a [ModelSpec] of what
/// they say: a [DecoderSpec] or an [EncoderSpec], which a backend compiles; all formats and
/// families end in these two, with the tensor names of [TensorNames].
///
/// **Adding a family** is adding a record to `Families`: the names by which its files call
/// themselves, the table that turns its safetensors names into canonical ones (GGUF files use those
/// already), a function from its settings to a spec, and the tensors that the spec needs. If it
/// computes something that the specs cannot say, they come first: a setting that would be ignored,
/// or a tensor that has no place, is refused rather than left out.
///
/// **What is checked on opening**, before anything is loaded: every setting is within bounds,
/// settings fit each other, every tensor is there in its shape and none is left over, and the
/// vocabulary has as many tokens as the model. So code behind this package may trust a spec.
@NullMarked
package dev.weft.runtime.model;

import org.jspecify.annotations.NullMarked;
