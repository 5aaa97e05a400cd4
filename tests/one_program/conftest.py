from tests.pipeline.networks import files
from tests.pipeline.test_hybrids import made
from tests.tiny import _quiet, llama

__all__ = ["_quiet", "files", "llama", "made"]
