"""What every verb asks of a bundle, whatever it holds: its kind, the input and options that suit it, its mapping."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Table
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from neurodeploy.bundle import AnyPath, Bundle, open_bundle
from neurodeploy.errors import BundleError, UserError
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.mapping import Mapping

if TYPE_CHECKING:
    from simulators.fast.runner import FastRunner
    from simulators.partitioned import PartitionedRunner
    from simulators.reference import ReferenceRunner

Progress = Callable[[str, int, int], None]

#: The runner that executes the mapping of a bundle, whatever the bundle holds.
PARTITIONED = "partitioned"
#: A Loihi 2 board, of spiking networks.
BOARD = "loihi2"
#: Words of the command line for options that have another name in Python.
_FLAGS = {"probes": "probe", "with_float": "no-float"}


class Kind(NamedTuple):
    """What feeds a program: one such model, and several."""

    one: str
    several: str


#: By the option that gives what is run.
TEXT, STREAM = "text", "input"
KINDS = {
    TEXT: Kind("a language model", "language models"), STREAM: Kind("a spiking network", "spiking networks")
}  # fmt: skip


def suited(
    bundle: AnyPath,
    text: str | Path | None,
    input: str | Path | None,
    options: Table[str, Table[str, object]],
    *,
    optional: bool = False,
) -> tuple[Bundle, str | Path | None, dict[str, Any]]:
    """The bundle, what is to be run on it, and those of its own options that were given (that are not None).

    ND3262 where `text` or `input` suits the other kind, or none was given: only the text may be missing, where it is
    `optional`. ND3264 for options of the other kind.
    """
    opened, files = open_bundle(bundle), {TEXT: text, STREAM: input}
    own, other = (STREAM, TEXT) if opened.program.streamed else (TEXT, STREAM)
    if files[other] is not None:
        raise UserError("ND3262", f"--{other}", f"does not suit {bundle}, {KINDS[own].one}", f"give --{own} FILE")
    refuse(KINDS[other].several, options[other])
    if files[own] is None and not (optional and own == TEXT):
        problem = f"is {KINDS[own].one} and nothing was given to run"
        raise UserError("ND3262", bundle, problem, f"give --{own} FILE")
    return opened, files[own], {name: value for name, value in options[own].items() if value is not None}


def refuse(several: str, options: Table[str, object]) -> None:
    """ND3264 where an option was given that only `several` (of `KINDS`) have."""
    for name, value in options.items():
        if value is not None:
            flag = _FLAGS.get(name, name).replace("_", "-")
            raise UserError("ND3264", f"--{flag}", f"is for {several}", "leave it out")


def load_mapping(bundle: Bundle) -> tuple[Mapping, SystemSpec, list[str]]:
    """The bundle's mapping, its system, and what the verifier has against it: nothing, unless the file was changed."""
    from partitioner.files.json_form import mapping_from_json
    from partitioner.verify.violations import verify
    from targets.systems import get_system, kept_system

    mapping = mapping_from_json(bundle.read_mapping())
    system = get_system(mapping.system) if mapping.origin is None else kept_system(mapping.origin)
    return mapping, system, verify(mapping, bundle.program, system)


def read_mapping(bundle: Bundle) -> tuple[Mapping, SystemSpec]:
    """The bundle's mapping and its system. ND5010 where the mapping does not hold for the program."""
    mapping, system, problems = load_mapping(bundle)
    if problems:
        problem = f"breaks {len(problems)} rules of {system.name}, the first: {problems[0]}"
        raise BundleError("ND5010", bundle.path / "mapping.json", problem, "map the bundle again")
    return mapping, system


def runner_of(bundle: Bundle, name: str) -> ReferenceRunner | FastRunner | PartitionedRunner:
    """The runner of that name, ND3001 for an unknown one; "partitioned" executes the bundle's mapping (`read_mapping`)."""
    from simulators import get_runner

    if name == PARTITIONED:
        from simulators.partitioned import PartitionedRunner

        mapping, system = read_mapping(bundle)
        return PartitionedRunner(mapping, system.chip)
    return get_runner(name)


def executed(bundle: Bundle, runner: str) -> dict[str, Any]:
    """Entry "executed" of a run on the partitioned runner: what of the mapping it is; no entry for another runner."""
    from partitioner.files.json_form import mapping_from_json

    return {"executed": extent(mapping_from_json(bundle.read_mapping()))} if runner == PARTITIONED else {}


def extent(mapping: Mapping) -> dict[str, Any]:
    """System, and how many shards, cores and chips."""
    shards, cores, chips = len(mapping.shards), mapping.cores_used, mapping.chips_used
    return {"system": mapping.system, "shards": shards, "cores": cores, "chips": chips}


def kept_as(bundle: Bundle, runner: str) -> str:
    """The runner's name in the digest of what is kept of a run; a mapping that is executed belongs to it."""
    executes = runner == PARTITIONED or (runner == BOARD and bundle.is_mapped)
    return f"{runner} {bundle.read_mapping()}" if executes else runner
