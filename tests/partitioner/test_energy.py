"""The objective "energy", judged by the account of a run, which knows nothing of the mapper's estimate."""

from __future__ import annotations

from pathlib import Path

import neurodeploy as nd
from tests.tensors.test_codes import network, stream


def test_energy_takes_the_fewest_joules_of_the_objectives(tmp_path: Path) -> None:
    """Chips draw power while a step lasts, so that here short steps on many cores are cheaper than few cores."""
    x = stream(6)
    nd.convert(network(6), tmp_path / "n.nd", example_inputs=x, payload_bits=8)
    bundle = nd.open(tmp_path / "n.nd")
    found = {}
    for objective in ("cores", "latency", "energy"):
        bundle.map("oheo-gulch", objective=objective)
        sample = bundle.energy(input=x)["sample"]
        found[objective] = sample["joules_per_token"]["board"]["nominal"]
    assert found["energy"] < 0.9 * found["cores"]
    assert found["energy"] <= 1.01 * min(found.values())
