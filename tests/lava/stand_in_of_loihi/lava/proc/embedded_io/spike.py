"""Stand-in: adapters pass payloads on, on the way back `LATE` steps later."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

LATE = 3


class _Adapter(AbstractProcess):
    def __init__(self, *, shape: tuple[int, ...], num_message_bits: int = 0, **given: Any) -> None:
        super().__init__(shape=shape, num_message_bits=num_message_bits, **given)
        self.inp, self.out = InPort(shape=shape), OutPort(shape=shape)


class PyToNxAdapter(_Adapter):
    pass


class PyToN3ConvAdapter(_Adapter):
    pass


class NxToPyAdapter(_Adapter):
    pass


class _Passing(PyLoihiProcessModel):
    inp: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def run_spk(self) -> None:
        self.out.send(self.inp.recv().astype(np.int32))


@implements(proc=PyToNxAdapter, protocol=LoihiProtocol)
@requires(CPU)
class StandInOfPyToNx(_Passing):
    pass


@implements(proc=PyToN3ConvAdapter, protocol=LoihiProtocol)
@requires(CPU)
class StandInOfPyToN3Conv(_Passing):
    pass


@implements(proc=NxToPyAdapter, protocol=LoihiProtocol)
@requires(CPU)
class StandInOfNxToPy(_Passing):
    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.waiting = deque([np.zeros(proc_params["shape"], np.int32)] * LATE)

    def run_spk(self) -> None:
        self.waiting.append(self.inp.recv().astype(np.int32))
        self.out.send(self.waiting.popleft())
