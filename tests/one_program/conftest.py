from tests.pipeline.test_hybrids import made

__all__ = ["made"]
