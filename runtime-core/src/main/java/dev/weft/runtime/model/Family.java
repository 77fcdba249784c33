package dev.weft.runtime.model;

import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/// A family of models: how its files are recognised, named and read. Adding a family is adding a
/// record to [Families].
///
/// @param name as in [ModelSpec#family]
/// @param architecture the class named in `config.json`, such as `LlamaForCausalLM`
/// @param ggufArchitecture `general.architecture` of its GGUF files, or empty where another family
///   reads those
/// @param names its safetensors names
/// @param spec what the model computes
/// @param tensors what it must have for that, each of which is checked before anything is loaded
record Family(
    String name,
    String architecture,
    Optional<String> ggufArchitecture,
    NameTable names,
    Function<ModelInput, ModelSpec> spec,
    Function<ModelSpec, List<TensorRequirement>> tensors) {}
