from tests.pipeline.networks import world

__all__ = ["world"]
