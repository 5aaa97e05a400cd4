"""Stand-in: the base of models for neuro-cores."""

from __future__ import annotations

from lava.magma.core.model.model import AbstractProcessModel


class AbstractNcProcessModel(AbstractProcessModel):
    def run(self) -> None:
        raise NotImplementedError("a stand-in runs nothing on neuro-cores")
