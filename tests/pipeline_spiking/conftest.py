from tests.pipeline_spiking.networks import files, llama, llama_bundle, world
from tests.tiny import _quiet

__all__ = ["_quiet", "files", "llama", "llama_bundle", "world"]
