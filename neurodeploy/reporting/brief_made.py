"""Answers in five lines of the verbs that make or check: convert, fit, export, report, calibrate, verify, doctor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from neurodeploy.reporting import units
from neurodeploy.reporting.said import Said

#: Of the float network of a spiking one.
_SOURCE = {
    None: "no float network: the source holds integers",
    True: "the float network is read by nir",
    False: "the float network is not pure NIR: see the warnings of the conversion",
}


def convert(found: Mapping[str, Any]) -> list[Said]:
    """The bundle, what it holds, how far it is from its original."""
    lines = [Said(f"{found['model']} ({found['family']}) -> {found['bundle']}", "bold")]
    if found.get("command_as_meant"):
        lines.append(Said(f"type: {found['command_as_meant']}", "bold yellow"))
    preset = found.get("preset")
    how = f"time step {units.si(found['dt_s'], 's')}" if found["dt_s"] else "no time step stated"
    if preset:
        how = f"{bits_of(found, preset)}, payloads {units.some(preset['payload_bits'], 'bit')}, preset {preset['name']}"
    sent = found.get("synaptic_events_sent", 1.0)
    how += f", {units.percent(sent)} of synaptic events" if sent < 1 else ""
    held = f"{units.some(found['neurons'], 'neuron')} in {units.some(found['populations'], 'population')}"
    synapses = units.some(found["synapses"], "synapse", units.si)
    lines.append(Said(f"{held}, {synapses} in {units.some(found['projections'], 'projection')}; {how}"))
    if found.get("resumed"):
        resumed = units.some(found["resumed"], "projection")
        lines.append(Said(f"{resumed} finished by an earlier run that was broken off"))
    lines += [Said(line) for line in checks(found)]
    return lines


def checks(found: Mapping[str, Any]) -> list[str]:
    """How far a module or an ONNX file is from its original, output by output, and the chip's share of the work."""
    check = found.get("check") or {}
    if "differing" in check:
        before = f" ({check['before_rounding']} before rounding)" if check.get("before_rounding") else ""
        bins = f"{units.count(check['differing'])} of {units.some(check['compared'], 'bin')}"
        return [f"chip against {check['framework']}: {bins} differ{before}"]
    said = []
    for name, row in check.get("outputs", {}).items():
        same = f", the same largest in {units.percent(row['same_largest'])}" if "same_largest" in row else ""
        off = f"{name}: at most {units.percent(row['largest_relative'])} of the largest output off"
        said.append(f"{off} on {units.some(check['samples'], 'sample')}{same} ({check['against']})")
    share = found.get("multiply_adds", {}).get("on_chip")
    if share is not None:
        said.append(f"{units.percent(share)} of multiply-adds on the chip")
    return said if not found.get("codes") else [coded(found["codes"]), *said]


def coded(codes: Mapping[str, Any]) -> str:
    """The code that was taken, beside graded values."""
    chosen, plain = codes["chosen"], codes["tried"][0]
    share = chosen["synaptic_events"] / plain["synaptic_events"] if plain["synaptic_events"] else 1.0
    lost = f"loss {units.percent(chosen['loss'])}, at most {units.percent(codes['bound'])} asked"
    return f"code {code_name(chosen)}: {share:.2f} times the synaptic events of graded values, {lost}"


def code_name(row: Mapping[str, Any]) -> str:
    """In words: "rate, 64 steps"."""
    name = row["code"].replace("_", "-")
    if row["sites"]:
        name += f", {units.some(len(row['sites']), 'site')} in another"
    return f"{name}, {units.some(row['steps'], 'step')}" if row["steps"] > 1 else name


def bits_of(found: Mapping[str, Any], preset: Mapping[str, Any]) -> str:
    """Of a weight; in the mean where weights share constants."""
    means = found.get("bits_a_weight") or {"body": preset["weight_bits"], "with_head": preset["weight_bits"]}
    if means["body"] == means["with_head"] == preset["weight_bits"]:
        return f"weights {units.some(preset['weight_bits'], 'bit')}"
    return f"{means['body']:.2f} bits a weight ({means['with_head']:.2f} with the head)"


def fit(found: Mapping[str, Any]) -> list[Said]:
    """The answer, the model, the plan of chips, what it rests on."""
    answer, fallback, rest = found["answer"].partition("; fallback")
    lines = [Said(answer, "bold" if found["fits"] else "bold red")]
    if fallback:
        lines.append(Said(f"fallback{rest}"))
    if found["kind"] == "spiking network":
        held = units.some(found["neurons"], "neuron"), units.some(found["synapses"], "synapse")
        lines.append(Said(", ".join(held)))
    else:
        lines.append(Said(model_of(found)))
    rows: dict[str, Mapping[str, Any]] = {}
    for row in found["rows"]:  # the widest weights come first
        if row["fits"]:
            rows.setdefault(row["system"], row)
    named = [
        f"{name} {units.count(row.get('chips_used', row['chips']))} of {units.some(row['chips_available'], 'chip')} at "
        f"{units.some(row['bits'], 'bit')}"
        for name, row in rows.items()
    ]
    if len({row["system"] for row in found["rows"]}) > 1:
        lines.append(Said(f"fits: {', '.join(named)}" if named else "fits none of the systems"))
    if found.get("assumed"):
        given = found["assumed"]
        before = units.some(given["context"], "token")
        said = f"assumed: {units.percent(given['activity'])} of activations non-zero, {before} before"
        lines.append(Said(f"{said}; host {found['host']}", "dim"))
    return lines


def model_of(found: Mapping[str, Any]) -> str:
    """Layers and weights of a language model."""
    weights = found["weights"]
    active = f", {units.si(weights['active'])} of them met by a token" if weights["active"] != weights["body"] else ""
    tied = "tied to the head" if weights["tied"] else f"head {units.si(weights['head'])}"
    return (
        f"{found['family']}, {units.some(found['layers'], 'layer')}, {units.si(weights['total'])} parameters: "
        f"{units.si(weights['body'])} weights in projections{active}; embedding {units.si(weights['embedding'])}, {tied}; "
        f"norms, biases and the like {units.si(weights['small'])}"
    )


def offloaded(found: Mapping[str, Any]) -> Said:
    """How many islands are on the host, and by which rules."""
    left, every = len(found["on_host"]), units.some(found["islands"], "island")
    rules = ", ".join(dict.fromkeys(group["rule"] for group in found["groups"]))
    text = f"not on the chips: {units.count(left)} of {every}, which the host ({found['host']}) runs: {rules}"
    return Said(text, "bold yellow")


def export(found: Mapping[str, Any]) -> list[Said]:
    """The file, what it holds."""
    return [Said(f"{found['file']}: {found['what']}, {units.si(found['bytes'], 'B')}", "bold")]


def report(found: Mapping[str, Any]) -> list[Said]:
    """The page, and what lies beside it."""
    page, *beside = (str(path) for path in found["paths"])
    return [Said(page, "bold"), *([Said(f"beside it: {', '.join(beside)}", "dim")] if beside else [])]


def calibrate(found: Mapping[str, Any]) -> list[Said]:
    """The file, how well it explains what was measured, how to use it."""
    figures = units.some(found["figures"], "figure")
    changed = units.some(len(found["coefficients"]), "coefficient")
    return [
        Said(f"{found['out']}: {changed} of {found['chip']}", "bold"),
        Said(f"{figures} explained to {units.si(found['missed'])} of their errors, root of the mean square"),
        Said(f"use it with energy --coefficients {found['out']}", "dim"),
    ]


def verify(found: Mapping[str, Any]) -> list[Said]:
    """What was checked, what of the mapping was executed, and what is wrong."""
    violations, done = found["violations"], found["executed"]
    verdict = "the mapping exceeds its budgets, and was not executed" if violations else "sound"
    if done and not violations:
        verdict += f"; its mapping was executed, {extent(done)}: the same bits"
    lines = [Said(f"{found['bundle']}: {verdict}", "bold red" if violations else "bold")]
    members = f"{units.some(found['members'], 'member')} with the digests of the manifest"
    if found["layers_read_by_nir"]:
        read = f"{units.some(found['layers_read_by_nir'], 'layer')} read by nir: the same integers"
    else:
        read = _SOURCE[found["source_read_by_nir"]]
    lines.append(Said(f"{members}; {read}"))
    golden, steps = found["golden_vectors"], found["golden_steps"]
    if steps:
        outputs = units.some(max(golden.values()), "output")
        over = f"over {units.some(steps, 'golden step')}"
        lines.append(Said(f"{outputs} {over}: the same bits on {' and '.join(golden)}"))
    else:
        lines.append(Said("no golden vectors: a single step of this network is too much work for the reference"))
    if (widths := found.get("widths", {"counted": 0}))["counted"]:
        rest = f"{units.count(widths['counted'])} calibrated: what exceeds them is counted in every run"
        lines.append(Said(f"{units.some(widths['proven'], 'width')} of numbers proven, {rest}"))
    if not found["mapped"]:
        lines.append(Said("not mapped yet: neurodeploy map", "dim"))
    return lines


def doctor(found: Mapping[str, Any]) -> list[Said]:
    """Whether integers are exact here and by what, what is installed, what is not."""
    exact = [name for name, product in found["integer_products"].items() if product["exact"]]
    wrong = [name for name in found["integer_products"] if name not in exact]
    used = sorted(set(found["fastest_product"].values()))
    state = "not sound: no product of integers is exact here" if not exact else "sound: integer products are exact"
    return [
        Said(f"{state}; fastest: {', '.join(used)}", "bold" if exact else "bold red"),
        Said(
            f"neurodeploy {found['neurodeploy']}, Python {found['python']}, torch {found['versions'].get('torch')}, "
            f"{units.some(found['cores'], 'core')}, instructions: {found['instructions']}"
            f"{', CUDA' if found['cuda'] else ''}"
        ),
        *([Said(f"not exact here and never taken: {', '.join(wrong)}")] if wrong else []),
        Said("; ".join(f"{name}: {said}" for name, said in _beyond(found))),
        Said(f"models: {', '.join(_installed(found['models'].items())) or 'none installed'}; all of it: -v", "dim"),
    ]


def _beyond(found: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for name, said in found["simulators"].items():
        yield name, said.partition(",")[0]
    for name, said in found["boards"].items():
        yield f"board {name}", "none" if said.startswith("ND") else said


def _installed(models: Iterable[tuple[str, str]]) -> list[str]:
    return [name for name, state in models if state == "installed"]


def extent(done: Mapping[str, Any]) -> str:
    """What of a mapping was executed (entry "executed" of a verb)."""
    return f"{units.some(done['shards'], 'shard')} on {units.some(done['cores'], 'core')} of {done['system']}"
