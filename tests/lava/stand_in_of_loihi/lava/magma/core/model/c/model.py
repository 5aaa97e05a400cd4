"""Stand-in: the bases of models for embedded cores."""

from __future__ import annotations

from lava.magma.core.model.model import AbstractProcessModel


class AbstractCProcessModel(AbstractProcessModel):
    def run(self) -> None:
        raise NotImplementedError("a stand-in runs nothing on embedded cores")


class CLoihiProcessModel(AbstractCProcessModel):
    pass
