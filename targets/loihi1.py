"""Loihi 1 as a value: Table 2 of Davies et al. (IEEE Micro 38(1), 2018) and the published fits of SANA-FE to a board.

Nominal energies are SANA-FE's (`arch/loihi.yaml` of SLAM-Lab/SANA-FE; Boyle et al., IEEE TCAD 44(8) 2025), because they
were fitted to a Nahuku board while Table 2 is simulated before silicon; where only Table 2 has a number it is nominal.
The high end adds SANA-FE's published mean error: 11.7 % for energies, 24.3 % for times. The memory access that SANA-FE
charges to every neuron and step (51.2 pJ, 6.0 ns) is `neuron_idle_j`; with its update (21.6 pJ, 3.7 ns) it is
`neuron_update_j`; its spike (69.3 pJ) is `spike_out_j`, its message to a core (111 pJ) `message_j`.
"""

from __future__ import annotations

from neurodeploy.ir.chip import Ability, Basis, ChipSpec, CoreBudget, Limit, Pacing, Quantity, Supports, SystemSpec

M, P, D, G = Basis.MEASURED, Basis.PUBLISHED, Basis.DERIVED, Basis.GUESSED

_DAVIES = "Davies 2018"
_TABLE = "Davies 2018 Table 2 (0.75 V, pre-silicon)"
_SANAFE = "SANA-FE loihi.yaml (Boyle et al. 2025, fitted to a Nahuku board)"
_FRADY = "Frady 2020 (Nahuku, Pohoiki Springs)"
_LENZ = "Lenz et al., arXiv 2309.16795 (Nahuku)"

COSTS = {
    # the shape of a chip, and the integers of `formats`
    "cores_per_chip_count": Quantity(128, 128, 128, "1", P, _DAVIES),
    "neurons_per_core_count": Quantity(1024, 1024, 1024, "1", P, _DAVIES),
    "sram_per_core_b": Quantity(212992, 212992, 212992, "B", P, f"{_DAVIES}: 208 KB fixed, 2 Mb with error correction"),
    "synapse_memory_b": Quantity(131072, 131072, 131072, "B", P, "nengo-loihi: 16 384 x 64 bits"),
    "neuron_state_b": Quantity(24, 24, 24, "B", P, "Intel Loihi 2 technology brief 2021 (comparison with Loihi 1)"),
    "synapse_row_header_b": Quantity(
        2, 4, 8, "B", G, "assumed as for Loihi 2; the real format packs by connection type"
    ),
    "weight_b": Quantity(1, 1, 2, "B", P, f"{_DAVIES}: 1 to 9 signed bits"),
    "axon_entry_b": Quantity(
        0, 0, 0, "B", D, f"{_DAVIES}: 20 KB of routing tables of their own, capped by axon counts"
    ),
    "message_b": Quantity(4, 4, 4, "B", P, f"{_DAVIES}: 32-bit messages"),
    "weight_bits": Quantity(1, 8, 9, "1", P, f"{_DAVIES}: 1 to 9 signed bits"),
    "payload_bits": Quantity(1, 1, 1, "1", P, f"{_DAVIES}: binary spikes"),
    "state_bits": Quantity(24, 24, 24, "1", P, f"{_DAVIES}: 24-bit membrane state"),
    "max_delay_steps": Quantity(8, 62, 62, "1", P, f"{_DAVIES}: 6-bit field, 8 by default"),
    # energies
    "synop_fc_j": Quantity(23.6e-12, 35.5e-12, 39.7e-12, "J", P, f"{_SANAFE}; low: {_TABLE}"),
    "synop_conv_j": Quantity(23.6e-12, 24.0e-12, 26.8e-12, "J", P, f"{_SANAFE}; low: {_TABLE}"),
    "synop_learning_j": Quantity(120e-12, 120e-12, 120e-12, "J", P, f"{_TABLE}, pairwise STDP"),
    "neuron_update_j": Quantity(72.8e-12, 72.8e-12, 81.3e-12, "J", P, f"51.2 + 21.6 pJ, {_SANAFE}; {_TABLE}: 81 pJ"),
    "neuron_idle_j": Quantity(51.2e-12, 51.2e-12, 57.2e-12, "J", P, f"{_SANAFE}; {_TABLE}: 52 pJ"),
    "microcode_factor": Quantity(1, 1, 1, "1", P, f"{_DAVIES}: fixed neuron model, no microcode"),
    "spike_out_j": Quantity(61.2e-12, 69.3e-12, 77.4e-12, "J", P, _SANAFE),
    "message_j": Quantity(98e-12, 111e-12, 124e-12, "J", P, _SANAFE),
    "hop_ew_j": Quantity(3.0e-12, 3.0e-12, 3.4e-12, "J", P, f"{_SANAFE}; {_TABLE}: 3.0 pJ"),
    "hop_ns_j": Quantity(4.0e-12, 4.2e-12, 4.7e-12, "J", P, f"{_SANAFE}; low: {_TABLE}"),
    "core_step_j": Quantity(0.0, 0.0, 0.0, "J", P, f"{_SANAFE}: no such term, its neuron access holds it"),
    "chip_step_j": Quantity(0.0, 0.0, 0.0, "J", P, f"{_SANAFE}: no such term"),
    "interchip_bit_j": Quantity(1e-12, 5e-12, 10e-12, "J", G, "analogy with SerDes links (PCIe class 5.5 pJ/bit)"),
    "host_link_bit_j": Quantity(10e-12, 20e-12, 40e-12, "J", G, "assumed, band of a factor 2 each way"),
    # times
    "t_synop_fc_s": Quantity(3.5e-9, 3.8e-9, 4.7e-9, "s", P, f"{_SANAFE}; low: {_TABLE}"),
    "t_synop_conv_s": Quantity(3.1e-9, 3.1e-9, 3.9e-9, "s", P, _SANAFE),
    "t_synop_learning_s": Quantity(6.1e-9, 6.1e-9, 6.1e-9, "s", P, f"{_TABLE}, pairwise STDP"),
    "t_neuron_s": Quantity(8.4e-9, 9.7e-9, 12.1e-9, "s", P, f"6.0 + 3.7 ns, {_SANAFE}; low: {_TABLE}"),
    "t_neuron_idle_s": Quantity(5.3e-9, 6.0e-9, 7.5e-9, "s", P, f"{_SANAFE}; low: {_TABLE}"),
    "t_spike_out_s": Quantity(30e-9, 30e-9, 37.3e-9, "s", P, _SANAFE),
    "t_message_in_s": Quantity(16e-9, 16e-9, 19.9e-9, "s", P, f"{_SANAFE}, axon-in"),
    "t_message_out_s": Quantity(5.1e-9, 5.1e-9, 6.3e-9, "s", P, f"{_SANAFE}, axon-out"),
    "t_hop_ew_s": Quantity(4.1e-9, 4.1e-9, 5.1e-9, "s", P, f"{_SANAFE}; {_TABLE}"),
    "t_hop_ns_s": Quantity(6.5e-9, 6.5e-9, 8.1e-9, "s", P, f"{_SANAFE}; {_TABLE}"),
    "t_step_floor_s": Quantity(
        0.465e-6, 1.8e-6, 2.24e-6, "s", P, f"{_SANAFE}: 29 tiles, less on fewer (`PACE`); low: {_TABLE}, 32 tiles"
    ),
    "t_learning_step_s": Quantity(1e-6, 5e-6, 10e-6, "s", G, "carried over from Loihi 2, which it is derived for"),
    "t_barrier_multichip_s": Quantity(
        4e-6, 14.3e-6, 16.2e-6, "s", M, f"{_FRADY}: 256, 768 chips; low: 5.8 us less floor"
    ),
    "t_host_link_s": Quantity(50e-6, 230e-6, 300e-6, "s", G, "carried over from a Loihi 2 board on Ethernet"),
    # bandwidths
    "bw_link_b_per_s": Quantity(13.8e9, 13.8e9, 13.8e9, "B/s", D, f"{_TABLE}: 3.44 Gspike/s a tile x 4 B"),
    "bw_interchip_b_per_s": Quantity(
        0.46e9, 0.46e9, 0.46e9, "B/s", D, "Davies 2021: about 30 times less than on the chip"
    ),
    "bw_host_link_b_per_s": Quantity(0.125e9, 0.125e9, 0.64e9, "B/s", G, "gigabit Ethernet, assumed; high: Loihi 2"),
    # powers, each for one powered chip
    "p_static_w": Quantity(
        0.029, 0.104, 0.104, "W", M, f"{_FRADY}: 3.34 W / 32 chips; low: {_LENZ}, 939 mW / 32 chips"
    ),
    "p_infra_w": Quantity(
        0.021,
        0.065,
        0.55,
        "W",
        M,
        f"{_FRADY}: x86 cores 65 mW; low: {_LENZ}, 21.3 mW; high: 500 W / 768 chips less rails",
    ),
    # what a run misses by though its coefficients be known
    "energy_error_ratio": Quantity(
        0.79, 1, 1.27, "1", D, "mean errors of SANA-FE against a Nahuku board, 11.7 % and 24.3 %, as normal ones"
    ),
    "time_error_ratio": Quantity(
        0.61, 1, 1.65, "1", D, "mean errors of SANA-FE against a Nahuku board, 11.7 % and 24.3 %, as normal ones"
    ),
    "p_max_w": Quantity(0.65, 0.65, 0.65, "W", D, "Pohoiki Springs, under 500 W / 768 chips"),
}

FORMATS = {
    "synapse_row_header_bytes": int(COSTS["synapse_row_header_b"].nominal),
    "weight_bytes": int(COSTS["weight_b"].nominal),
    "weight_bits": int(COSTS["weight_bits"].nominal),
    "payload_bits": int(COSTS["payload_bits"].nominal),
    "state_bits": int(COSTS["state_bits"].nominal),
    "neuron_state_bytes": int(COSTS["neuron_state_b"].nominal),
    "axon_entry_bytes": int(COSTS["axon_entry_b"].nominal),
    "message_bytes": int(COSTS["message_b"].nominal),
    "delay_steps": int(COSTS["max_delay_steps"].high),
}

BUDGET = CoreBudget(
    neurons=Limit(1024, P, f"{_DAVIES}: 1024 compartments a core"),
    synapse_bytes=Limit(128 * 1024, P, "nengo-loihi: 16 384 x 64 bits of synaptic memory a core"),
    in_axons=Limit(4096, P, f"{_DAVIES}: 4096 in-axons a core"),
    out_axons=Limit(4096, P, f"{_DAVIES}: 4096 out-axons a core"),
    state_bytes=Limit(1024 * 24, D, "24 B for each of 1024 compartments; axon tables have a memory of their own"),
)

#: One fixed circuit: a leaky integrator of current and of voltage, in 24 bits.
SUPPORTS = Supports(
    neurons={
        "lif": Ability(f"{_DAVIES}: current-based leaky integrate-and-fire compartments"),
        "lif_refractory": Ability(f"{_DAVIES}: compartments have a refractory period"),
        "lif_reset": Ability(
            f"{_DAVIES}: x86 cores of the chip reach the states",
            "loihi1 clears the states of lif_reset with its x86 cores: their work is not counted",
        ),
        "lif_subtract": Ability(
            "SANA-FE: its Loihi soma has a reset by subtraction",
            "loihi1 is not known to reset by subtraction: neurons of lif_subtract are counted as lif, as SANA-FE does",
        ),
        "threshold": Ability(
            f"{_DAVIES}: decays of 12 bits",
            "loihi1 computes threshold as a lif that forgets: up to 1/4096 of a voltage is left to the next step",
        ),
    },
    program=None,
    synapses={
        "list": Ability(f"{_DAVIES}: lists of synapses by axon"),
        "kernel": Ability(f"{_DAVIES}: connectivity of convolutions is shared by its neurons"),
        "wire": Ability("a synapse of weight 1, for binary spikes"),
    },
)

#: A core takes messages in while its neurons of the step are updated and send (SANA-FE's core has its buffer before the
#: soma; Boyle et al. 2025). The barrier's table is theirs: stairs, as micro networks through their process show.
PACE = Pacing(
    stages=(
        {
            "first_updates": "t_neuron_s + t_spike_out_s",
            "first_messages": "t_message_out_s",
            "first_ew": "t_hop_ew_s",
            "first_ns": "t_hop_ns_s",
            "events": "t_message_in_s",
            "synops": "t_synop_fc_s",
            "conv_synops": "t_synop_conv_s",
            "partial_sums": "t_synop_fc_s + t_message_in_s",
            "writes": "t_synop_learning_s",
        },
        {
            "fixed_updates": "t_neuron_s",
            "updates": "t_neuron_s * microcode_factor",
            "idle": "t_neuron_idle_s",
            "spikes": "t_spike_out_s",
            "messages": "t_message_out_s",
        },
    ),
    way_out={
        "waits_events": "t_message_in_s", "waits_synops": "t_synop_fc_s", "waits_conv_synops": "t_synop_conv_s"
    },
    barrier={1: 0.6e-6, 2: 1.0e-6, 4: 1.4e-6, 29: 1.8e-6},
)  # fmt: skip

LOIHI1 = ChipSpec(
    name="loihi1",
    cores=128,
    mesh=(8, 4),  # 32 tiles of 4 cores: Davies 2018, SANA-FE loihi.yaml
    cores_per_router=4,
    budget=BUDGET,
    formats=FORMATS,
    costs=COSTS,
    supports=SUPPORTS,
    source=f"{_TABLE}; {_SANAFE}",
    pace=PACE,
)

SYSTEMS = (
    SystemSpec(
        "loihi1-nahuku", LOIHI1, 32, (8, 4), "Nahuku board of 32 Loihi 1 chips (Frady 2020); arrangement assumed"
    ),
)
