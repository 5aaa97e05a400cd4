"""Loihi 2 as a value. Basis: measured on silicon, published by the vendor or simulated, derived by arithmetic, guessed.

The derivations named D1 to D6 in the sources:

- D1, D2: MatMul-free LM on 24 chips (Abreu et al. 2025): generation 41.5 token/s x 405 mJ = 16.8 W with one chip busy,
  prefill 6632 token/s x 3.7 mJ = 24.5 W with all busy, hence 0.69 W a chip static, 0.34 W a busy chip, 50.7 uJ a block
  and token, and over 12.85 M weights a block 3.9 pJ a weight (5.9 pJ if a third of the ternary weights is zero).
- D3, D4: Hala Point: 15 TOPS/W at 1 % effective operations gives 13.3 pJ all-in, 2600 W / 380e12 synapses/s 6.8 pJ.
- D5: PilotNet (lava-dl notebook): 68.3 uJ a step less neurons and spikes over 2.97 M stored convolution synops gives
17.6 pJ (9 to
  21); 44 pJ were read before, from counters taken to run twice (docs/energy.md, PilotNet).
- D6: winner-take-all nets 4.7 nJ for each active core and step more; with D7 Q-learning 3.7 nJ, (147 nJ - 20 nJ) / 34 cores.
- D7: two neurons on two cores (N1 in docs/validation.md) 32 to 39 nJ a step, less two cores and two updates: 19 to 30 nJ of
  the chip itself, with barrier and clocking; 20 nJ, for the runs of rare spikes have least of anything else in them.
- D8: the barrier of several Loihi 1 chips, 14.3 us, over 4, the factor of chip-to-chip signalling (Intel brief).
- D9: Q-learning with the learning engine 6.49 us a step, less an empty step of 1.2 to 1.8.

`PRIORS` is what is known before any measurement is fitted; `fitted_loihi2` has what the rows of
`benchmarks/published.py` make of it (docs/validation.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from neurodeploy.ir.chip import Ability, Basis, ChipSpec, CoreBudget, Limit, Quantity, Supports, SystemSpec
from targets import fitted_loihi2

M, P, D, G = Basis.MEASURED, Basis.PUBLISHED, Basis.DERIVED, Basis.GUESSED

_BRIEF = "Intel Loihi 2 technology brief 2021"
_DAVIES = "Davies 2018 Table 2 (Loihi 1, 14 nm, pre-silicon)"
_SANAFE = "SANA-FE loihi.yaml, fitted to a Nahuku board (Loihi 1, Boyle et al. 2025)"
_HALA = "Hala Point totals (Intel newsroom 2024) / 140 544 cores"
_ABREU = "Abreu et al. 2025, arXiv 2503.18002"
_MEYER = "Meyer et al. 2024, arXiv 2409.15022"

PRIORS = {
    # the shape of a chip, and the integers of `formats`
    "cores_per_chip_count": Quantity(
        118, 120, 128, "1", P, f"papers use 120 of 128 ({_BRIEF}); Hala Point averages 122"
    ),
    "neurons_per_core_count": Quantity(8192, 8192, 8192, "1", P, f"{_BRIEF}: maximum, not together with all synapses"),
    "sram_per_core_b": Quantity(196608, 196608, 196608, "B", P, f"{_BRIEF}: 192 KB a core, flexible"),
    "synapse_memory_b": Quantity(
        48000, 131072, 131072, "B", P, f"{_BRIEF}: up to 128 KB; low: 12 000 words of SynMem in lava-dl notebook output"
    ),
    "neuron_state_b": Quantity(8, 16, 4096, "B", G, f"16 B assumed (Loihi 1 has 24); {_BRIEF}: 0 to 4096 by model"),
    "synapse_row_header_b": Quantity(
        2, 4, 8, "B", D, "SynMem rows printed in lava-dl notebooks: 32-bit words, about 2 B"
    ),
    "weight_b": Quantity(1, 1, 1, "B", D, "SynMem rows printed in lava-dl notebooks: 26 words for 100 8-bit weights"),
    "axon_entry_b": Quantity(4, 8, 16, "B", G, "assumed; no table layout of Loihi 2 is public"),
    "message_b": Quantity(4, 4, 4, "B", P, f"32-bit messages ({_ABREU}; {_BRIEF})"),
    "weight_bits": Quantity(1, 8, 8, "1", P, f"{_MEYER}; {_ABREU}"),
    "payload_bits": Quantity(8, 24, 32, "1", P, f"{_MEYER}: 24-bit messages; {_BRIEF}: up to 32"),
    "state_bits": Quantity(8, 24, 64, "1", P, f"{_MEYER}: 24-bit state"),
    "max_delay_steps": Quantity(62, 62, 62, "1", M, "arXiv 2510.13757, used on silicon"),
    # energies
    "synop_fc_j": Quantity(3e-12, 5e-12, 13e-12, "J", D, f"D2 ({_ABREU}), D3 and D4 (Hala Point)"),
    "synop_conv_j": Quantity(8e-12, 24e-12, 50e-12, "J", D, f"{_SANAFE}, 24 pJ; low, high: readings of D5"),
    "synop_learning_j": Quantity(120e-12, 120e-12, 120e-12, "J", P, f"{_DAVIES}; no band known for Loihi 2"),
    "neuron_update_j": Quantity(27e-12, 81e-12, 245e-12, "J", P, f"{_DAVIES}; high: D5, and low as far off"),
    "neuron_idle_j": Quantity(17e-12, 52e-12, 157e-12, "J", P, f"{_DAVIES}; band in the ratio of the active update's"),
    "microcode_factor": Quantity(
        1, 2, 4, "1", D, "step times of LIF and microcoded Izhikevich nets (OzU-CAST, Oheo Gulch)"
    ),
    "spike_out_j": Quantity(38e-12, 69e-12, 96e-12, "J", M, f"69.3 pJ, {_SANAFE}"),
    "message_j": Quantity(62e-12, 111e-12, 154e-12, "J", M, f"111 pJ, {_SANAFE}"),
    "hop_ew_j": Quantity(3e-12, 3e-12, 3e-12, "J", P, f"{_DAVIES}; no band known for Loihi 2"),
    "hop_ns_j": Quantity(4e-12, 4e-12, 4e-12, "J", P, f"{_DAVIES}; no band known for Loihi 2"),
    "core_step_j": Quantity(
        2e-9, 4e-9, 8e-9, "J", D, "D6: two laboratories, two programs, Oheo Gulch; a factor of 2 each way"
    ),
    "chip_step_j": Quantity(5e-9, 20e-9, 36e-9, "J", D, "D7: Balafrej et al. 2025, Oheo Gulch"),
    "interchip_bit_j": Quantity(1e-12, 5e-12, 10e-12, "J", G, "analogy with SerDes links (PCIe class 5.5 pJ/bit)"),
    "host_link_bit_j": Quantity(10e-12, 20e-12, 40e-12, "J", G, "assumed, band of a factor 2 each way"),
    # times
    "t_synop_fc_s": Quantity(
        0.37e-9, 0.76e-9, 1.4e-9, "s", D, f"{_SANAFE}, 3.8 ns / 5 ({_BRIEF}); low: {_HALA}; high: bound by PilotNet"
    ),
    "t_synop_conv_s": Quantity(
        0.37e-9, 0.62e-9, 1.9e-9, "s", D, f"{_SANAFE}, 3.1 ns / 5 ({_BRIEF}); low: {_HALA}; high: readings of PilotNet"
    ),
    "t_synop_learning_s": Quantity(
        0.6e-9, 1.2e-9, 6.1e-9, "s", D, f"{_DAVIES}, 6.1 ns / 5 ({_BRIEF}); high: as it is; of memories it is a guess"
    ),
    "t_neuron_s": Quantity(0.6e-9, 4.2e-9, 4.85e-9, "s", P, f"{_DAVIES}, 8.4 ns / 2 ({_BRIEF}); high: {_SANAFE} / 2"),
    "t_neuron_idle_s": Quantity(
        0.6e-9, 2.65e-9, 3.0e-9, "s", D, f"{_DAVIES}, 5.3 ns / 2 ({_BRIEF}); high: {_SANAFE} / 2"
    ),
    "t_spike_out_s": Quantity(3e-9, 3e-9, 3e-9, "s", P, f"{_SANAFE}, 30 ns / 10 ({_BRIEF})"),
    "t_hop_ew_s": Quantity(4.1e-9, 4.1e-9, 4.1e-9, "s", P, f"{_DAVIES}; no factor for Loihi 2 is public"),
    "t_hop_ns_s": Quantity(6.5e-9, 6.5e-9, 6.5e-9, "s", P, f"{_DAVIES}; no factor for Loihi 2 is public"),
    "t_step_floor_s": Quantity(
        0.2e-6,
        1.2e-6,
        2.5e-6,
        "s",
        M,
        f"1.16 us, Balafrej et al. 2025, to 1.77 us, OzU-CAST, both Oheo Gulch; low: {_BRIEF}",
    ),
    "t_learning_step_s": Quantity(1e-6, 5e-6, 10e-6, "s", D, "D9 (Nesbit et al. 2026, Oheo Gulch)"),
    "t_barrier_multichip_s": Quantity(
        1e-6,
        3.6e-6,
        14.3e-6,
        "s",
        D,
        "D8; high: Frady 2020 (Loihi 1: 14.3 us on 256, 16.2 us on 768 chips); none public for Loihi 2",
    ),
    "t_host_link_s": Quantity(
        50e-6, 230e-6, 300e-6, "s", M, "about 230 us a sample, in and out, over Ethernet (board report)"
    ),
    # bandwidths
    "bw_link_b_per_s": Quantity(24.9e9, 24.9e9, 24.9e9, "B/s", D, f"3.5 PB/s, {_HALA}"),
    "bw_interchip_b_per_s": Quantity(
        0.6e9, 4.3e9, 4.3e9, "B/s", D, "Hala Point 5 TB/s / 1152 chips; low: host I/O rate"
    ),
    "bw_host_link_b_per_s": Quantity(
        0.125e9, 0.64e9, 0.64e9, "B/s", P, f"160 M messages/s at most, {_ABREU}; low: gigabit Ethernet, assumed"
    ),
    # powers, each for one powered chip
    "p_static_w": Quantity(
        0.12,
        0.24,
        0.40,
        "W",
        M,
        "chip rails: lava-dl PilotNet notebooks 0.23, 0.28; Nesbit 2026 0.25; Balafrej 2025 0.21; low: board reports; high: "
        "OzU-CAST draws 0.2 W more than its cores explain",
    ),
    "p_infra_w": Quantity(
        0.30,
        0.75,
        1.56,
        "W",
        D,
        "board less rails: D1 0.69 W a chip in all; Nesbit 2026 1.56 W (x86); board reports 1.0 W",
    ),
    # what a run misses by though its coefficients be known
    "energy_error_ratio": Quantity(0.5, 1, 2, "1", G, "assumed: a factor of 2 before any row is fitted"),
    "time_error_ratio": Quantity(0.5, 1, 2, "1", G, "assumed: a factor of 2 before any row is fitted"),
    "p_max_w": Quantity(2.26, 2.26, 2.26, "W", D, "Hala Point 2600 W / 1152 chips"),
}

#: Coefficients that come from one figure err together.
ERRS = {
    "neuron_idle_j": {"neuron_update_j": 1.0}, "message_j": {"spike_out_j": 1.0}, "t_neuron_idle_s": {"t_neuron_s": 1.0},
    "hop_ns_j": {"hop_ew_j": 1.0},
}  # fmt: skip
COSTS = {**PRIORS, **fitted_loihi2.COSTS}

FORMATS = {
    "synapse_row_header_bytes": int(COSTS["synapse_row_header_b"].nominal),
    "weight_bytes": int(COSTS["weight_b"].nominal),
    "weight_bits": int(COSTS["weight_bits"].nominal),
    "payload_bits": int(COSTS["payload_bits"].high),
    "state_bits": int(COSTS["state_bits"].high),
    "neuron_state_bytes": int(COSTS["neuron_state_b"].nominal),
    "axon_entry_bytes": int(COSTS["axon_entry_b"].nominal),
    "message_bytes": int(COSTS["message_b"].nominal),
    "delay_steps": int(COSTS["max_delay_steps"].high),
}

BUDGET = CoreBudget(
    neurons=Limit(8192, P, f"{_BRIEF}: up to 8192 neurons a core"),
    synapse_bytes=Limit(128 * 1024, P, f"{_BRIEF}: up to 128 KB of the 192 KB are synaptic memory"),
    in_axons=Limit(4096, G, "Davies 2018 (Loihi 1: 4096) carried over; no cap of Loihi 2 is public"),
    out_axons=Limit(None, G, "not public for Loihi 2 (Loihi 1: 4096); their table entries are charged to state_bytes"),
    state_bytes=Limit(
        64 * 1024, G, "assumed split: what 128 KB of synapses leave of 192 KB, for state and axon tables"
    ),
)

_LIF = "hard-coded LIF beside microcode (OzU-CAST, Oheo Gulch)"
_LIKE_LIF = Ability("derived: leaky integration and a comparison cost what the hard-coded LIF costs")

SUPPORTS = Supports(
    neurons={
        "lif": Ability(_LIF),
        **dict.fromkeys(("lif_reset", "lif_refractory", "lif_subtract", "cuba", "threshold"), _LIKE_LIF),
    },
    hypothetical={
        "graded_attention": Ability(
            f"{_BRIEF}: neuron programs; rows of synapses are imprinted by the learning engine",
            "hypothetical: nobody has published attention, or a memory of keys and values, on Loihi 2",
        )
    },
    program=Ability(f"{_BRIEF}: neurons are programs in microcode with additions, shifts, products and comparisons"),
    synapses={
        "list": Ability(f"{_BRIEF}: sparse and dense lists of synapses"),
        "kernel": Ability(f"{_BRIEF}: weights of convolutions are shared by their neurons"),
        "wire": Ability("derived: a graded synapse of weight 1"),
    },
)

LOIHI2 = ChipSpec(
    name="loihi2",
    cores=int(COSTS["cores_per_chip_count"].nominal),
    mesh=(8, 4),  # 8 x 4 routers: Timcheck et al. 2026 (arXiv 2601.10035), Intel Loihi 2 brief
    cores_per_router=4,
    budget=BUDGET,
    formats=FORMATS,
    costs=COSTS,
    supports=SUPPORTS,
    source=f"{_BRIEF}; costs derived, and fitted to published runs (docs/validation.md)",
    errs={**ERRS, **fitted_loihi2.ERRS},
)

#: A chip's share of its board: one chip carries a board alone, whose x86 cores and FPGA larger systems share.
INFRASTRUCTURE = {
    "oheo-gulch": Quantity(
        0.75, 1.5, 2.5, "W", D, "Oheo Gulch: 1.56 W static of x86 beside 0.25 W of cores (Nesbit et al. 2026)"
    ),
    "kapoho-point": replace(PRIORS["p_infra_w"], source=f"Kapoho Point, not published; {PRIORS['p_infra_w'].source}"),
    "vpx-16": replace(PRIORS["p_infra_w"], source=f"a VPX card, not published; {PRIORS['p_infra_w'].source}"),
    "alia-point": replace(PRIORS["p_infra_w"], source=f"Alia Point; {PRIORS['p_infra_w'].source}"),
    "hala-point": replace(
        PRIORS["p_infra_w"], source=f"Hala Point, 2600 W at most over 1152 chips; {PRIORS['p_infra_w'].source}"
    ),
}


def _systems(chip: ChipSpec, fitted: Mapping[str, Mapping[str, Quantity]]) -> tuple[SystemSpec, ...]:
    def on(name: str, chips: int, grid: tuple[int, int], source: str) -> SystemSpec:
        costs = {**chip.costs, "p_infra_w": INFRASTRUCTURE[name], **fitted.get(name, {})}
        errs = {**chip.errs, **(fitted_loihi2.ERRS_OF.get(name, {}) if fitted else {})}
        return SystemSpec(name, replace(chip, costs=costs, errs=errs), chips, grid, source)

    return (
        on("oheo-gulch", 1, (1, 1), "Intel: one Loihi 2 chip with an Arria 10 FPGA, Ethernet"),
        on("kapoho-point", 8, (4, 2), "Intel: 8 chips, stackable; the arrangement is assumed"),
        on("vpx-16", 16, (4, 4), "16 chips, as in arXiv 2505.06417 (a VPX card); arrangement and board are assumed"),
        on("alia-point", 32, (8, 4), "32 chips, 24 of them used in arXiv 2503.18002; arrangement assumed"),
        on("hala-point", 1152, (36, 32), "Intel newsroom 2024: 1152 chips, 2600 W; arrangement assumed"),
    )


SYSTEMS = _systems(LOIHI2, fitted_loihi2.COSTS_OF)
#: The same before any row was fitted.
UNFITTED = _systems(replace(LOIHI2, costs=PRIORS, errs=ERRS), {})
