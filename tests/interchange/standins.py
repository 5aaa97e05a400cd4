"""Stand-ins for neurons of frameworks that are not installed here: the same attributes, classes in packages of their names,
and forward passes written down from the frameworks' documentation."""

from __future__ import annotations

from typing import Any, NamedTuple

import h5py
import torch


class Leaky(torch.nn.Module):
    """snnTorch: fires at mem > threshold; reset by subtraction or to zero, in the next step or in this one."""

    __module__ = "snntorch._neurons.leaky"

    def __init__(
        self, beta: Any, threshold: Any = 1.0, reset: str = "subtract", delay: bool = True, output: bool = False
    ):
        super().__init__()
        self.register_buffer("beta", torch.as_tensor(beta))
        self.register_buffer("threshold", torch.as_tensor(threshold))
        self.register_buffer("graded_spikes_factor", torch.tensor(1.0))
        self.register_buffer("reset_mechanism_val", torch.tensor(["subtract", "zero", "none"].index(reset)))
        self.register_buffer("mem", torch.zeros(0), persistent=False)
        self.reset, self.reset_delay, self.output = reset, delay, output
        self.inhibition = self.state_quant = False
        self.init_hidden = True

    def reset_mem(self) -> None:
        self.mem = torch.zeros_like(self.mem)

    def forward(self, x: torch.Tensor) -> Any:
        if self.mem.shape != x.shape:
            self.mem = torch.zeros_like(x)
        late = (self.mem > self.threshold).float() if self.reset_delay and self.reset != "none" else torch.zeros_like(x)
        if self.reset == "zero":
            self.mem = self.mem * (1 - late)
        self.mem = self.beta * self.mem + x - (late * self.threshold if self.reset == "subtract" else 0)
        spikes = (self.mem > self.threshold).float()
        if not self.reset_delay and self.reset != "none":
            self.mem = self.mem - spikes * (self.threshold if self.reset == "subtract" else self.mem)
        return (spikes, self.mem) if self.output else spikes


class Alpha(Leaky):
    """A neuron of snnTorch that nothing here stands for."""

    __module__ = "snntorch._neurons.alpha"


class IFNode(torch.nn.Module):
    """SpikingJelly: fires at v >= v_threshold, starts at v_reset."""

    __module__ = "spikingjelly.activation_based.neuron.integrate_and_fire"

    def __init__(self, v_threshold: float = 1.0, v_reset: float | None = 0.0):
        super().__init__()
        self.v_threshold, self.v_reset, self.step_mode = v_threshold, v_reset, "s"
        self.v: Any = v_reset or 0.0

    def reset(self) -> None:
        self.v = self.v_reset or 0.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.v = self.v + x
        spikes = (self.v >= self.v_threshold).float()
        target = self.v - self.v_threshold if self.v_reset is None else self.v_reset
        self.v = (1 - spikes) * self.v + spikes * target
        return spikes


class LIFBoxParameters(NamedTuple):
    tau_mem_inv: torch.Tensor = torch.tensor(100.0)
    v_leak: torch.Tensor = torch.tensor(0.0)
    v_th: torch.Tensor = torch.tensor(1.0)
    v_reset: torch.Tensor = torch.tensor(0.0)


BOX = LIFBoxParameters()


class LIFBoxCell(torch.nn.Module):
    """Norse: a cell takes its state and gives it back."""

    __module__ = "norse.torch.module.lif_box"

    def __init__(self, p: LIFBoxParameters = BOX, dt: float = 1e-3):
        super().__init__()
        self.p, self.dt = p, dt

    def forward(self, x: torch.Tensor, state: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        v = torch.zeros_like(x) + self.p.v_leak if state is None else state
        v = v + self.dt * self.p.tau_mem_inv * (self.p.v_leak - v + x)
        spikes = (v > self.p.v_th).float()
        return spikes, (1 - spikes) * v + spikes * self.p.v_reset


class Chain(torch.nn.Module):
    """A module of Norse's kind: the state goes through its forward pass."""

    def __init__(self, dense: torch.nn.Linear, cell: LIFBoxCell):
        super().__init__()
        self.dense, self.cell = dense, cell

    def forward(self, x: torch.Tensor, state: Any = None) -> tuple[torch.Tensor, Any]:
        spikes, after = self.cell(self.dense(x), state)
        return spikes, after


class Dense(torch.nn.Module):
    """lava-dl: a block of a recorded network, which gives what it gave and exports itself as it did."""

    __module__ = "lava.lib.dl.slayer.block.cuba"

    def __init__(self, path: str, layer: int, given: torch.Tensor):
        super().__init__()
        self.path, self.layer, self.given = path, layer, given

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.given.clone()

    def export_hdf5(self, handle: Any) -> None:
        with h5py.File(self.path) as file:
            for name in file[f"layer/{self.layer}"]:
                file.copy(f"layer/{self.layer}/{name}", handle, name)


class Input(Dense):
    """A block that takes real numbers."""

    __module__ = "lava.lib.dl.slayer.block.cuba"


def dense(rows: int, columns: int, seed: int = 3) -> torch.nn.Linear:
    """A matrix of seeded weights, mostly above zero."""
    made = torch.nn.Linear(columns, rows, bias=False)
    values = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))
    made.weight.data = 0.3 + 0.4 * values
    return made


def spikes(steps: int, samples: int, size: int) -> torch.Tensor:
    """(steps, samples, size), a third of them 1."""
    return (torch.rand(steps, samples, size, generator=torch.Generator().manual_seed(5)) < 0.33).float()
