"""Made-up data of a spiking network's report: every section filled, or none of those that may be absent."""

from __future__ import annotations

from typing import Any


def band(nominal: float) -> dict[str, float]:
    return {"low": nominal / 2, "nominal": nominal, "high": nominal * 3}


def phase(joules: float) -> dict[str, Any]:
    boundaries = {"rails": band(joules), "chip": band(joules * 1.1), "board": band(joules * 3), "wall": None}
    return {
        "joules_per_token": boundaries, "seconds_per_token": band(2e-5), "tokens_per_s": 5e4,
        "bound_by": "host_link_latency",
        "entries": [
            {
                "device": "chip", "component": "synops", "event": "synaptic operation", "boundary": "rails",
                "count": 123.4, "basis": "derived", "source": "a paper",
                "unit_cost": {"unit": "J", **band(1e-12)}, "joules": band(1e-9),
            }
        ],
        "by_layer": {"0": band(1e-9)}, "by_component": {"synops": band(1e-9)},
        "assumptions": ["one host"], "not_modelled": ["cooling"],
    }  # fmt: skip


def full() -> dict[str, Any]:
    """Two populations, one projection, all sections."""
    return {
        "model": {
            "name": "digits", "family": "NIR", "source": "digits.nir", "licence": "CC0", "neurons": 40, "populations": 2,
            "synapses": 1600, "projections": 1, "dt_s": 1e-3, "outputs": ["out"], "layers": 2, "hidden_size": 0,
            "vocab_size": 0, "weight_bytes": 1600,
        },
        "run": {
            "input": "input.npz", "runner": "fast", "unit": "step", "steps": 20, "samples": 3,
            "notes": ["in: silent from step 18 on"],
        },
        "map": {
            "system": "oheo-gulch", "chip": "loihi2", "cores_per_chip": 120, "fits": True,
            "host_islands": 0, "chips_used": 1,
            "chips_available": 1, "cores_used": 2, "cores_lower_bound": 1, "binding_resource": "neurons", "violations": [],
            "unknown_limits": [],
            "utilisation": {
                "neurons": {"mean": 20 / 8192, "max": 30 / 8192, "mean_used": 20.0, "max_used": 30.0, "limit": 8192.0}
            },
            "cores": {
                "chip": [0, 0], "core": [0, 1], "label": ["out", "out"], "layer": [1, 1], "used_fraction": [0.1, 0.2],
                "resource_fractions": {"neurons": [0.1, 0.2]},
            },
            "mesh": {"columns": 8, "rows": 4, "cores_per_router": 4},
        },
        "explain": [
            {
                "path": f"populations.{name}", "op": "lif", "device": device, "rule": "a rule", "reason": "a reason",
                "remedy": "", "bytes_per_token": 8,
            }
            for name, device in (("in", "host"), ("out", "chip"))
        ],
        "traffic": {
            "unit": "step", "if": ", if every neuron sends", "on_chip_bytes": 4.0, "inter_chip_bytes": 0.0,
            "to_host_bytes": 8.0, "to_chip_bytes": 8.0, "crossings": 2.0,
        },
        "energy": {"step": phase(1e-6), "sample": phase(2e-5)},
        "populations": {
            "in": {
                "model": "input", "layer": None, "neurons": 40, "steps": 60, "messages": 700,
                "rate": 0.3, "updates": 0, "saturated": 0, "wrapped": 0,
            },
            "out": {
                "model": "lif", "layer": None, "neurons": 40, "steps": 60, "messages": 90,
                "rate": 0.04, "updates": 2400, "saturated": 4, "wrapped": 1234567,
            },
        },
        "projections": {
            "in->out": {
                "source": "in", "target": "out", "layer": None, "events": 700, "density": 0.3, "synops": 28_000, "wrapped": 0
            }
        },
        "host_work": {"flops": 0, "bytes": 0}, "on_host": {}, "saturations": 4, "wraps": 1234567, "experts": None,
        "rasters": [
            {
                "population": "out", "size": 400, "neurons": [0, 133, 266], "length": 20,
                "steps": [1, 1, 7, 20], "rows": [0, 2, 1, 2], "dropped": 5,
            }
        ],
        "traces": [
            {
                "population": "out", "variable": "v", "neuron": 7, "values": [0, 10, -10, 5] * 5, "thresholds": [12],
                "unit": 0.125,
            }
        ],
        "comparison": [
            {
                "population": "output", "latency": 2, "float_spikes": 91.0, "chip_spikes": 90.0, "differing": 5,
                "compared": 2400, "first_difference": 3, "graded": False, "worst": 0.0, "rate_error": 0.01, "early": 1,
                "same_decision": 2,
            }
        ],
        "labelled": {
            "file": "labels.npy", "samples": 3,
            "outputs": [
                {
                    "output": "output", "neurons": 40, "chip_correct": 2, "float_correct": 3, "same_decision": 2,
                    "classes": [
                        {"class": 7, "samples": 1, "right": 0, "taken_for": [{"class": 9, "samples": 1}]},
                        {"class": 0, "samples": 2, "right": 2, "taken_for": []},
                    ],
                }
            ],
        },
        "conversion": {
            "warnings": ["out: R = tau / dt; unit gain"],
            "errors": [
                {"where": "in->out", "parameter": "weight", "absolute": 0.5, "relative": 0.004},
                {"where": "out", "parameter": "bias", "absolute": 0.1, "relative": None},
            ],
        },
        "neurobench": {"footprint": 1234, "connection_sparsity": 0.5, "activation_sparsity": None},
        "provenance": {
            "tool_version": "0.1.0", "created": None, "seed": None, "bundle": "digits.nd", "hashes": {"program.json": "ab12"}
        },
    }  # fmt: skip


def bare() -> dict[str, Any]:
    """A .net that was not mapped: integers only, no float network, no energy."""
    data = full()
    data |= dict.fromkeys(("map", "explain", "traffic", "energy", "comparison", "labelled"))
    data |= {"rasters": [], "traces": [], "neurobench": {}}
    data["conversion"] = {"warnings": [], "errors": []}
    data["model"]["dt_s"] = None
    data["run"] |= {"notes": [], "samples": 1}
    return data


def silent() -> dict[str, Any]:
    """Nothing fired, and one step was run."""
    data = full()
    for row in data["populations"].values():
        row |= {"messages": 0, "rate": 0.0}
    for row in data["projections"].values():
        row |= {"events": 0, "synops": 0, "density": 0.0}
    data["rasters"][0] |= {"steps": [], "rows": [], "dropped": 0, "length": 1, "neurons": [0], "size": 1}
    data["traces"][0]["values"] = [0]
    data["run"]["steps"] = 1
    data["comparison"][0] |= {"float_spikes": 0.0, "chip_spikes": 0.0, "compared": 0, "differing": 0}
    return data


CASES = {"full": full, "bare": bare, "silent": silent}
