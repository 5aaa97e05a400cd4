# mypy: disable-error-code="misc, import-not-found, import-untyped"
"""Lava processes of our own: what records, and neurons and synapses that Lava does not have.

They run on Lava's runtime like Lava's own, one operating-system process each, and exchange int32 through its channels.
`LavaPyType`s are class attributes in Lava, so each process gets a model class with exactly its ports (`model_of`).

recorder   : keeps what ports received in every step, and Vars through RefPorts, and writes one .npz in the last step
population : a neuron model of `neurodeploy.neurons`, loaded as plain numpy
relay      : passes payloads on in the same step, where Lava would need a second line between the same two ports
synapse    : weights with a delay each, the rule of `neurodeploy.ir.network`: sum, shift, wrap, add to what is pending
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort, PyRefPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort, RefPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

Shapes = Mapping[str, tuple[int, ...]]


class OwnProcess(AbstractProcess):
    """A process with the given ports and Vars; everything else goes to its model in `proc_params`."""

    def __init__(
        self, *, kind: str, inputs: Shapes, outputs: Shapes, variables: Mapping[str, Any], **given: Any
    ) -> None:
        super().__init__(kind=kind, inputs=dict(inputs), outputs=dict(outputs), variables=list(variables), **given)
        for name, shape in inputs.items():
            setattr(self, name, InPort(shape=shape))
        for name, shape in outputs.items():
            setattr(self, name, OutPort(shape=shape))
        for name, value in variables.items():
            setattr(self, name, Var(shape=np.shape(value), init=value))
        for name, variable in given.get("reads", {}).items():
            setattr(self, name, RefPort(shape=variable.shape))


def wrapped(values: np.ndarray, bits: int) -> np.ndarray:
    """Two's complement to `bits`."""
    half = np.int64(1) << np.int64(bits - 1)
    kept: np.ndarray = ((values + half) & ((half << 1) - 1)) - half
    return kept


class Recorder(PyLoihiProcessModel):
    """`inputs` are recorded in every step, `reads` in every step or (`last`) only in the last one."""

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        steps = proc_params["steps"]
        self.kept = {name: np.zeros((steps, *shape), np.int64) for name, shape in proc_params["inputs"].items()}
        self.last = set(proc_params["last"])
        for name, variable in proc_params["reads"].items():
            rows = 1 if name in self.last else steps
            self.kept[name] = np.zeros((rows, *variable.shape), np.int64)

    def run_spk(self) -> None:
        for name in self.proc_params["inputs"]:
            self.kept[name][self.time_step - 1] = getattr(self, name).recv()
        if self.time_step == self.proc_params["steps"] and not self.proc_params["reads"]:
            self._write()

    def post_guard(self) -> bool:
        names = self.proc_params["reads"].keys()
        return bool(names - self.last) or (bool(names) and self.time_step == self.proc_params["steps"])

    def run_post_mgmt(self) -> None:
        final = self.time_step == self.proc_params["steps"]
        for name in self.proc_params["reads"]:
            if name in self.last:
                if final:
                    self.kept[name][0] = getattr(self, name).read()
            else:
                self.kept[name][self.time_step - 1] = getattr(self, name).read()
        if final:
            self._write()

    def _write(self) -> None:
        arrays: dict[str, Any] = self.kept
        np.savez(self.proc_params["path"], **arrays)


class Relay(PyLoihiProcessModel):
    def run_spk(self) -> None:
        self.s_out.send(self.s_in.recv().astype(np.int32))


class OwnPopulation(PyLoihiProcessModel):
    """State variables are Vars of shape (size,); `first` is the number of steps done before this run."""

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.integer_step = importlib.import_module("neurodeploy.neurons.registry").get_model(proc_params["model"]).step

    def run_spk(self) -> None:
        given = self.proc_params
        inputs = {
            port: wrapped(getattr(self, name).recv().astype(np.int64), 32)[None]
            for port, name in given["ports"].items()
        }
        state = {name: getattr(self, name)[None] for name in given["variables"]}
        stepped = self.integer_step(given["params"], state, inputs, given["first"] + self.time_step)
        for name, values in state.items():
            setattr(self, name, np.array(np.broadcast_to(values, (1, given["size"]))[0], np.int64))
        for port, name in given["sent"].items():
            payload = np.broadcast_to(stepped.outputs[port], (1, given["size"]))[0]
            getattr(self, name).send(payload.astype(np.int32))


class OwnSynapse(PyLoihiProcessModel):
    """Var `pending` (depth, rows): row 0 is sent in the next step."""

    pending: Any

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        from scipy.sparse import csr_matrix

        given = proc_params
        shape = (given["rows"], given["columns"])
        self.slots = []
        for slot in range(given["depth"]):
            mine = given["delay"] == slot
            triple = (given["weight"][mine].astype(np.int64), (given["target"][mine], given["source"][mine]))
            self.slots.append(csr_matrix(triple, shape=shape))

    def run_spk(self) -> None:
        given = self.proc_params
        self.a_out.send(self.pending[0].astype(np.int32))
        payload = self.s_in.recv().astype(np.int64)
        if not given["graded"]:
            payload = (payload != 0).astype(np.int64)
        later = np.roll(self.pending, -1, axis=0)
        later[-1] = 0
        for slot, weights in enumerate(self.slots):
            total = wrapped(weights.dot(payload), 32)
            exponent = given["weight_exp"]
            shifted = total << exponent if exponent > 0 else total >> -exponent
            later[slot] = wrapped(later[slot] + wrapped(shifted, given["wrap_bits"]), 32)
        self.pending = later


MODELS = {"recorder": Recorder, "relay": Relay, "population": OwnPopulation, "synapse": OwnSynapse}


def model_of(process: Any) -> Any:
    """The model class of one `OwnProcess`, with the types of exactly its ports and Vars."""
    given = process.proc_params
    # A recorder adds in 64 bits, so that a sum which does not fit 32 is seen.
    received = np.int64 if given["kind"] == "recorder" else np.int32
    types: dict[str, Any] = {name: LavaPyType(PyInPort.VEC_DENSE, received) for name in given["inputs"]}
    types |= {name: LavaPyType(PyOutPort.VEC_DENSE, np.int32) for name in given["outputs"]}
    types |= {name: LavaPyType(np.ndarray, np.int64) for name in given["variables"]}
    types |= {name: LavaPyType(PyRefPort.VEC_DENSE, np.int64) for name in given.get("reads", {})}
    base = MODELS[given["kind"]]
    return requires(CPU)(implements(proc=OwnProcess, protocol=LoihiProtocol)(type(base.__name__, (base,), types)))
