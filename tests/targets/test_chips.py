from __future__ import annotations

import math

import pytest

from neurodeploy.ir.chip import Basis, ChipSpec
from targets.loihi1 import LOIHI1
from targets.loihi2 import LOIHI2, PRIORS
from targets.systems import SYSTEMS

#: Suffix of a key -> the unit it stands for. Longer suffixes first.
UNITS = {
    "_b_per_s": "B/s",
    "_j": "J",
    "_s": "s",
    "_w": "W",
    "_b": "B",
    "_count": "1",
    "_bits": "1",
    "_steps": "1",
    "_factor": "1",
    "_ratio": "1",
}
CHIPS = [LOIHI1, LOIHI2, *(system.chip for system in SYSTEMS.values())]


@pytest.mark.parametrize("chip", CHIPS, ids=lambda chip: chip.name)
def test_every_number_has_a_unit_a_band_and_a_source(chip: ChipSpec) -> None:
    for key, quantity in chip.costs.items():
        unit = next(unit for suffix, unit in UNITS.items() if key.endswith(suffix))
        assert quantity.unit == unit, key
        assert 0.0 <= quantity.low <= quantity.nominal <= quantity.high < math.inf, key
        assert len(quantity.source) > 8, key
    for name, limit in chip.budget.limits().items():
        assert limit.source, name
        assert limit.value is None or limit.value > 0, name


def test_both_chips_price_the_same_events_and_formats() -> None:
    assert set(LOIHI1.costs) - set(LOIHI2.costs) == {"t_message_in_s", "t_message_out_s"}, "Loihi 1's pace has these"
    assert set(LOIHI1.costs) >= set(LOIHI2.costs)
    assert set(LOIHI1.formats) == set(LOIHI2.formats)


@pytest.mark.parametrize("chip", [LOIHI1, LOIHI2], ids=lambda chip: chip.name)
def test_formats_are_the_nominal_values_of_their_rows(chip: ChipSpec) -> None:
    assert chip.cores == chip.costs["cores_per_chip_count"].nominal
    assert chip.budget.neurons.value == chip.costs["neurons_per_core_count"].nominal
    assert chip.budget.synapse_bytes.value == chip.costs["synapse_memory_b"].nominal
    columns, rows = chip.mesh
    assert chip.cores <= columns * rows * chip.cores_per_router


def test_no_energy_of_loihi2_claims_to_be_measured_on_it() -> None:
    for key, quantity in LOIHI2.costs.items():
        if key.endswith("_j") and quantity.basis is Basis.MEASURED:
            assert "Loihi 1" in quantity.source, key


def test_loihi2_priors_are_those_of_the_fact_table() -> None:
    """But for what later rows say: two neurons (floor, static power, core step), a convolution of Loihi 1, and the
    barrier a quarter of Loihi 1's, as chip-to-chip signalling is."""
    nominal = {key: quantity.nominal for key, quantity in PRIORS.items()}
    expected = {
        "synop_fc_j": 5e-12,
        "synop_conv_j": 24e-12,
        "neuron_update_j": 81e-12,
        "neuron_idle_j": 52e-12,
        "spike_out_j": 69e-12,
        "message_j": 111e-12,
        "core_step_j": 4e-9,
        "chip_step_j": 20e-9,
        "interchip_bit_j": 5e-12,
        "t_synop_fc_s": 0.76e-9,
        "t_step_floor_s": 1.2e-6,
        "t_barrier_multichip_s": 3.6e-6,
        "t_host_link_s": 230e-6,
        "bw_interchip_b_per_s": 4.3e9,
        "p_static_w": 0.24,
        "p_infra_w": 0.75,
        "p_max_w": 2.26,
    }
    assert {key: nominal[key] for key in expected} == pytest.approx(expected, rel=1e-12)
    assert LOIHI2.budget.out_axons.value is None
    state, synapses = LOIHI2.budget.state_bytes.value, LOIHI2.budget.synapse_bytes.value
    assert state is not None and synapses is not None
    assert state + synapses == LOIHI2.costs["sram_per_core_b"].nominal


def test_loihi1_energies_give_the_published_run_of_sanafe() -> None:
    """100 LIF neurons on one tile, all to all, to 100 silent ones on the next: SANA-FE 2.2.9 says 2.00853 uJ.

    50 000 synaptic operations; 2000 neuron steps of which 1800 update; 500 spikes, each a message over one N-S hop.
    """
    cost = {key: quantity.nominal for key, quantity in LOIHI1.costs.items()}
    synapse = 50_000 * cost["synop_fc_j"]
    soma_and_messages = (
        1800 * cost["neuron_update_j"] + 200 * cost["neuron_idle_j"] + 500 * (cost["spike_out_j"] + cost["message_j"])
    )
    total = synapse + soma_and_messages + 500 * cost["hop_ns_j"]
    assert synapse == pytest.approx(1.7750e-6, rel=1e-9)
    assert total == pytest.approx(2.00853e-6, rel=1e-6)
