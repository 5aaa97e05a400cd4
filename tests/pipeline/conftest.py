from tests.pipeline.networks import files, world
from tests.tiny import _quiet, experts, experts_bundle, llama, llama_bundle

__all__ = ["_quiet", "experts", "experts_bundle", "files", "llama", "llama_bundle", "world"]
