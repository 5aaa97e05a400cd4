"""Stand-in: names of models for neuro-cores, which compute nothing."""

from __future__ import annotations

from lava.magma.core.decorator import implements, requires
from lava.magma.core.model.nc.model import AbstractNcProcessModel
from lava.magma.core.resources import Loihi2NeuroCore
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.dense.process import DelayDense, Dense


@implements(proc=DelayDense, protocol=LoihiProtocol)
@requires(Loihi2NeuroCore)
class StandInOfNcDelayDense(AbstractNcProcessModel):
    pass


@implements(proc=Dense, protocol=LoihiProtocol)
@requires(Loihi2NeuroCore)
class StandInOfNcDense(AbstractNcProcessModel):
    pass
