"""What `fit` was asked, checked, and about what: a program, in a language model equal layers once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from neurodeploy.bundle import AnyPath, open_bundle
from neurodeploy.conversion.hollow import lower_hollow, raised
from neurodeploy.conversion.presets import KV_BITS, ON_CHIP, Preset, get_preset
from neurodeploy.errors import UserError
from neurodeploy.frontends.outlines import read_hollow
from neurodeploy.frontends.outlines.draw import DENSE, EXPERTS
from neurodeploy.ir.chip import HostSpec, SystemSpec
from neurodeploy.ir.copies import Copies
from neurodeploy.ir.graph import HostOp
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Encode, HostStep
from neurodeploy.ops import experts_of
from neurodeploy.ops.host.lowering import Remembered
from neurodeploy.pipeline.spiking_file import is_spiking_file
from neurodeploy.synapses.hollow import Facts, facts_of

HEADS = ("auto", "chip", "host")
#: Largest context, in tokens.
LONGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of a call, checked. systems : those to try; alone : whether the user named one."""

    systems: tuple[SystemSpec, ...]
    alone: bool
    bits: tuple[int, ...]
    memory: tuple[int | None, ...]
    chips: int | None
    head: str
    host: HostSpec
    activity: float | None
    context: int | None
    on_chip: str | None
    kv_bits: int | None

    def available(self, system: SystemSpec) -> int:
        return system.chips if self.chips is None else min(self.chips, system.chips)


def checked(
    system: str | Path | None, bits: Sequence[int], chips: int | None, context: int | None, activity: float | None,
    host: str, memory: Sequence[int], head: str, on_chip: str | None = None, kv_bits: int | None = None,
    chip: str | Path | None = None,
) -> Asked:  # fmt: skip
    """The options as they are used; ND2045 for one out of range, ND4001, ND4003 for no such system or host."""
    from targets.hosts import get_host
    from targets.systems import SYSTEMS, get_system

    def need(holds: bool, name: str, value: object, takes: str) -> None:
        if not holds:
            raise UserError("ND2045", name, f"is {value!r:.60}, fit takes {takes}", "give such a value")

    need(bool(bits) and all(type(b) is int and 1 <= b <= 8 for b in bits), "bits", tuple(bits), "widths of 1 to 8")
    need(all(type(k) is int and 1 <= k <= 1 << 20 for k in memory), "memory_kib", tuple(memory), "1 to 1048576 KiB")
    need(chips is None or (type(chips) is int and chips >= 1), "chips", chips, "at least 1")
    need(context is None or (type(context) is int and 1 <= context <= LONGEST), "context", context, f"1 to {LONGEST}")
    need(activity is None or 0 < activity <= 1, "activity", activity, "a fraction above 0 and at most 1")
    need(head in HEADS, "head", head, f"one of {', '.join(HEADS)}")
    need(on_chip is None or on_chip in ON_CHIP, "on_chip", on_chip, f"one of {', '.join(ON_CHIP)}")
    need(kv_bits is None or kv_bits in KV_BITS, "kv_bits", kv_bits, f"one of {', '.join(map(str, KV_BITS))}")
    profile = get_host(host)
    need(chip is None or system is not None, "chip", chip, "it with a system")
    systems = tuple(SYSTEMS.values()) if system is None else (get_system(str(system), chip),)
    if system is not None and chips is not None:
        need(chips <= systems[0].chips, "chips", chips, f"at most the {systems[0].chips} of {systems[0].name}")
    wanted = tuple(sorted(set(bits), reverse=True))
    sizes: tuple[int | None, ...] = (None, *sorted(set(memory), reverse=True))
    return Asked(systems, system is not None, wanted, sizes, chips, head, profile, activity, context, on_chip, kv_bits)


def read_model(model: AnyPath, dt: float | None, generic: bool, asked: Asked) -> tuple[Program, Remembered | None]:
    """The program, and what attention remembers where that is on the chip. Of a .nir or .net as `convert` reads it with its
    usual options. Raises what the reader of that kind of file raises.

    What is on the chip is what was asked for, by default what a bundle has, of all else the projections; so are positions
    and bits of keys and values. ND2046 for options without effect: of attention where that is on the host, of any of these
    for a spiking network.
    """
    program, has = _read(model, dt, generic)
    if program.streamed and asked.on_chip is not None:
        raise UserError(
            "ND2046", "on_chip", "says what of a language model is on the chip, and this is none", "leave it out"
        )
    changed = {name: getattr(asked, name) for name in ("on_chip", "context", "kv_bits")}
    wanted = replace(has, **{name: value for name, value in changed.items() if value is not None})
    if wanted.on_chip == "all":
        kept = Remembered(wanted.context, wanted.kv_bits)
        return lower_hollow(program, kept), kept
    if asked.kv_bits is not None:
        problem = f"says nothing where attention is on the host (on_chip = {wanted.on_chip})"
        raise UserError("ND2046", "kv_bits", problem, "leave it out, or put attention on the chip: on_chip = all")
    return (lower_hollow(program) if wanted.on_chip == "block" else program), None


def _read(model: AnyPath, dt: float | None, generic: bool) -> tuple[Program, Preset]:
    """A program, of a language model its linear layers alone; and what a bundle has on the chip, as a preset tells it."""
    from neurodeploy.pipeline.reading import NirOptions, read_net_file, read_nir_file

    path, usual = Path(model), get_preset("default")
    if path.is_dir() and (path / "manifest.json").is_file():
        program = open_bundle(path).program
        return (program, usual) if program.streamed else (folded(raised(program)), had(program))
    if not is_spiking_file(path):
        return read_hollow(model if isinstance(model, str) else path, generic=generic), usual
    if path.suffix.lower() == ".net":
        return Program.of(read_net_file(path, dt).network), usual
    return Program.of(read_nir_file(path, NirOptions(dt, verb="fit")).network), usual


def had(program: Program) -> Preset:
    """What is on the chip of a program that was converted."""
    told = cast(Mapping[str, Any], program.conversion.get("preset", {}))
    fields = {name: told[name] for name in ("on_chip", "context", "kv_bits") if name in told}
    return replace(get_preset("default"), **fields)


_LAYER, _EXPERT = re.compile(r"layers\.(\d+)\."), re.compile(r"\.experts\.(\d+)\.")


def folded(program: Program) -> Program:
    """A program with equal layers once, of the experts of a layer the first, and a count. No weight is read."""
    experts, chosen = experts_of(program.operations)
    layers: dict[int, list[HostStep]] = {}
    for step in program.host:
        layer, expert = _layer(step), _EXPERT.search(step.path)
        if layer is not None and (expert is None or expert[1] == "0"):
            layers.setdefault(layer, []).append(step)
    classes: dict[tuple[object, ...], list[int]] = {}
    for layer in sorted(layers):
        likeness = tuple(_likeness(program, step) for step in layers[layer])
        classes.setdefault((experts.get(layer), chosen.get(layer), likeness), []).append(layer)
    first = {layer: where[0] for where in classes.values() for layer in where}
    copies: dict[str, Copies] = {}
    for number, where in enumerate(classes.values()):
        kind, count = "layers" if len(classes) == 1 else f"kind {number}", experts.get(where[0], 1)
        for step in layers[where[0]]:
            routed = EXPERTS in step.path and count > 1
            copies[step.path] = Copies(kind, tuple(where), *((count, chosen.get(where[0], 1)) if routed else ()))
    kept = [step for step in program.host if step.path in copies or _layer(step) is None]
    made = {name for step in kept for name in step.outputs} | {program.input}

    def twins(names: Sequence[str]) -> tuple[str, ...]:
        """What a layer that is left out would have made, under the name of its class."""
        found = [_LAYER.sub(lambda match: f"layers.{first[int(match[1])]}.", name) for name in names]
        return tuple(name for name in found if name in made)

    host = [
        replace(step, inputs=twins(step.inputs)) if isinstance(step, HostOp)
        else replace(step, value=twins(step.inputs)[0]) if isinstance(step, Encode) else step
        for step in kept
    ]  # fmt: skip
    names = {step.path for step in kept}
    populations = {name: p for name, p in program.network.populations.items() if name in names}
    projections = tuple(p for p in program.network.projections if p.target in names)
    outputs = tuple(name for name in program.network.outputs if name in names)
    note = "read from a bundle: widths other than the converted one ask what another conversion would need"
    facts = Facts(_small(program), 0, program.info.hidden_size, *DENSE, (note,))
    if "hollow" in program.conversion:
        facts = facts_of(program)
    return replace(
        program, network=replace(program.network, populations=populations, projections=projections, outputs=outputs),
        host=tuple(host), copies=copies, conversion={"hollow": facts.to_json()},
    )  # fmt: skip


def _layer(step: HostStep) -> int | None:
    found = _LAYER.match(step.path)
    return int(found[1]) if found else None


def _likeness(program: Program, step: HostStep) -> tuple[object, ...]:
    """What is equal for steps that do the same in different layers."""
    name = _LAYER.sub("", step.path)
    if isinstance(step, HostOp):
        sizes = tuple(program.sizes[value] for value in (*step.inputs, *step.outputs))
        return name, step.op, sizes, tuple(sorted(step.attrs.items()))
    population = program.network.populations[step.population]
    return name, population.size, tuple((part.role, part.rows, part.heads) for part in population.sections)


def _small(program: Program) -> int:
    """Weights of norms, and biases of the projections that have any."""
    norms = sum(len(op.weights) * int(str(op.attrs["group"])) for op in program.operations if "group" in op.attrs)
    return norms + sum(
        part.rows
        for population in program.network.populations.values()
        for part in population.sections
        if np.any(np.atleast_1d(population.params.get("bias", 0))[part.start : part.stop])
    )
