"""The bundle `NAME.nd/`: a converted model on disk, complete, verified when it is opened, read lazily.

    manifest.json         format version, tool version, contract, source model, size and sha256 of every member and of itself
    program.json          what the host does, populations and projections, scales as integers, numeric contract
    conversion.json       what the conversion did, layer by layer
    islands/NAME.nir      plain NIR: Input -> Linear (int8) or Affine -> Scale -> Output
    islands/NAME.q.h5     the exact integers beside it: exponents, multipliers, shifts, bias, bounds
    network.h5            arrays of all other populations and projections, where there are any
    source.nir            the float network that a spiking network was made of, where it was NIR
    host.safetensors      embeddings and norms, each tensor in the narrowest type that holds it exactly
    tokenizer.json        and tokenizer_settings.json, where the model has a tokenizer
    vectors/golden.h5     payloads and outputs of some segments, made by the reference runner
    mapping.json          written by `map`; carries its own digest, because it changes after conversion
    evaluation.json       likewise, written by `eval --keep` of a language model beside its float model

Nothing here is pickled. A bundle is written under a temporary name beside its final one and renamed.
"""

from __future__ import annotations

from neurodeploy.bundle.reader import AnyPath, Bundle, open_bundle
from neurodeploy.bundle.writer import BundleWriter, write_bundle

__all__ = ["AnyPath", "Bundle", "BundleWriter", "open_bundle", "write_bundle"]
