from tests.pipeline.networks import files
from tests.tiny import _quiet, llama

__all__ = ["_quiet", "files", "llama"]
