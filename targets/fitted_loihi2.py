"""Coefficients of Loihi 2 as the rows of `benchmarks/published.py` leave them: ``python benchmarks/validation.py --write``.

COSTS : that differ from `loihi2.PRIORS`. ERRS : their loadings on causes (`neurodeploy.ir.chip.ChipSpec.errs`). COSTS_OF,
ERRS_OF : of one system alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from neurodeploy.ir.chip import Basis, Quantity

# fmt: off
COSTS: Mapping[str, Quantity] = {
    'chip_step_j': Quantity(
        1.891e-08, 2.417e-08, 3.09e-08, 'J', Basis.DERIVED,
        'published rows; before: 2e-08, D7: Balafrej et al. 2025, Oheo Gulch',
    ),
    'core_step_j': Quantity(
        2.651e-09, 3.566e-09, 4.796e-09, 'J', Basis.DERIVED,
        'published rows; before: 4e-09, D6: two laboratories, two programs, Oheo Gulch; a factor of 2 each '
        'way',
    ),
    'energy_error_ratio': Quantity(
        0.565, 1.0, 1.77, '1', Basis.DERIVED,
        'published rows: rows left out miss by 0.35 more than coefficients explain; before: assumed: a factor'
        ' of 2 before any row is fitted',
    ),
    'microcode_factor': Quantity(
        0.9072, 1.792, 3.538, '1', Basis.DERIVED,
        'published rows; before: 2, step times of LIF and microcoded Izhikevich nets (OzU-CAST, Oheo Gulch)',
    ),
    'neuron_idle_j': Quantity(
        1.12e-11, 3.086e-11, 8.5e-11, 'J', Basis.DERIVED,
        'published rows; before: 5.2e-11, Davies 2018 Table 2 (Loihi 1, 14 nm, pre-silicon); band in the '
        "ratio of the active update's",
    ),
    'neuron_update_j': Quantity(
        1.766e-11, 4.826e-11, 1.319e-10, 'J', Basis.DERIVED,
        'published rows; before: 8.1e-11, Davies 2018 Table 2 (Loihi 1, 14 nm, pre-silicon); high: D5, and '
        'low as far off',
    ),
    'p_static_w': Quantity(
        0.1899, 0.2239, 0.2641, 'W', Basis.DERIVED,
        'published rows; before: 0.24, chip rails: lava-dl PilotNet notebooks 0.23, 0.28; Nesbit 2026 0.25; '
        'Balafrej 2025 0.21; low: board reports; high: OzU-CAST draws 0.2 W more than its cores explain',
    ),
    'synop_conv_j': Quantity(
        1.351e-11, 1.869e-11, 2.586e-11, 'J', Basis.DERIVED,
        'published rows; before: 2.4e-11, SANA-FE loihi.yaml, fitted to a Nahuku board (Loihi 1, Boyle et al.'
        ' 2025), 24 pJ; low, high: readings of D5',
    ),
    't_barrier_multichip_s': Quantity(
        7.702e-07, 2.825e-06, 1.036e-05, 's', Basis.DERIVED,
        'published rows; before: 3.6e-06, D8; high: Frady 2020 (Loihi 1: 14.3 us on 256, 16.2 us on 768 '
        'chips); none public for Loihi 2',
    ),
    't_learning_step_s': Quantity(
        3.808e-06, 5.156e-06, 6.982e-06, 's', Basis.DERIVED,
        'published rows; before: 5e-06, D9 (Nesbit et al. 2026, Oheo Gulch)',
    ),
    't_neuron_idle_s': Quantity(
        1.571e-09, 3.266e-09, 6.791e-09, 's', Basis.DERIVED,
        'published rows; before: 2.65e-09, Davies 2018 Table 2 (Loihi 1, 14 nm, pre-silicon), 5.3 ns / 2 '
        '(Intel Loihi 2 technology brief 2021); high: SANA-FE loihi.yaml, fitted to a Nahuku board (Loihi 1, '
        'Boyle et al. 2025) / 2',
    ),
    't_neuron_s': Quantity(
        2.13e-09, 5.509e-09, 1.425e-08, 's', Basis.DERIVED,
        'published rows; before: 4.2e-09, Davies 2018 Table 2 (Loihi 1, 14 nm, pre-silicon), 8.4 ns / 2 '
        '(Intel Loihi 2 technology brief 2021); high: SANA-FE loihi.yaml, fitted to a Nahuku board (Loihi 1, '
        'Boyle et al. 2025) / 2',
    ),
    't_step_floor_s': Quantity(
        1.084e-06, 1.316e-06, 1.597e-06, 's', Basis.DERIVED,
        'published rows; before: 1.2e-06, 1.16 us, Balafrej et al. 2025, to 1.77 us, OzU-CAST, both Oheo '
        'Gulch; low: Intel Loihi 2 technology brief 2021',
    ),
    't_synop_conv_s': Quantity(
        4.298e-10, 5.76e-10, 7.72e-10, 's', Basis.DERIVED,
        'published rows; before: 6.2e-10, SANA-FE loihi.yaml, fitted to a Nahuku board (Loihi 1, Boyle et al.'
        ' 2025), 3.1 ns / 5 (Intel Loihi 2 technology brief 2021); low: Hala Point totals (Intel newsroom '
        '2024) / 140 544 cores; high: readings of PilotNet',
    ),
    'time_error_ratio': Quantity(
        0.565, 1.0, 1.77, '1', Basis.DERIVED,
        'published rows: rows left out miss by 0.35 more than coefficients explain; before: assumed: a factor'
        ' of 2 before any row is fitted',
    ),
}
ERRS: Mapping[str, Mapping[str, float]] = {
    'chip_step_j': {'published rows: core_step_j': -0.4543,
        'published rows: chip_step_j': 0.8908},
    'core_step_j': {'published rows: core_step_j': 1.0},
    'microcode_factor': {'published rows: microcode_factor': 1.0},
    'neuron_idle_j': {'published rows: synop_conv_j': -0.3958,
        'published rows: neuron_update_j': 0.9183},
    'neuron_update_j': {'published rows: synop_conv_j': -0.3958,
        'published rows: neuron_update_j': 0.9183},
    'p_static_w': {'published rows: p_static_w': 1.0},
    'synop_conv_j': {'published rows: synop_conv_j': 1.0},
    't_barrier_multichip_s': {'published rows: t_barrier_multichip_s': 1.0},
    't_learning_step_s': {'published rows: t_step_floor_s': -0.1445,
        'published rows: t_learning_step_s': 0.9895},
    't_neuron_idle_s': {'published rows: t_synop_conv_s': -0.3949,
        'published rows: t_neuron_s': 0.9187},
    't_neuron_s': {'published rows: t_synop_conv_s': -0.3949,
        'published rows: t_neuron_s': 0.9187},
    't_step_floor_s': {'published rows: t_synop_conv_s': 0.1203,
        'published rows: t_neuron_s': -0.2945,
        'published rows: t_step_floor_s': 0.9481},
    't_synop_conv_s': {'published rows: t_synop_conv_s': 1.0},
}
COSTS_OF: Mapping[str, Mapping[str, Quantity]] = {
    'oheo-gulch': {
    'p_infra_w': Quantity(
        1.19, 1.543, 2.0, 'W', Basis.DERIVED,
        'published rows; before: 1.5, Oheo Gulch: 1.56 W static of x86 beside 0.25 W of cores (Nesbit et al. '
        '2026)',
    ),
},
    'alia-point': {
    'p_infra_w': Quantity(
        0.257, 0.4166, 0.6754, 'W', Basis.DERIVED,
        'published rows; before: 0.75, Alia Point; board less rails: D1 0.69 W a chip in all; Nesbit 2026 '
        '1.56 W (x86); board reports 1.0 W',
    ),
},
    'hala-point': {
    'p_infra_w': Quantity(
        0.2574, 0.5632, 1.232, 'W', Basis.DERIVED,
        'published rows; before: 0.75, Hala Point, 2600 W at most over 1152 chips; board less rails: D1 0.69 '
        'W a chip in all; Nesbit 2026 1.56 W (x86); board reports 1.0 W',
    ),
},
}
ERRS_OF: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    'oheo-gulch': {
    'p_infra_w': {'published rows: p_infra_w@oheo-gulch': 1.0},
},
    'alia-point': {
    'p_infra_w': {'published rows: synop_conv_j': 0.1998,
        'published rows: neuron_update_j': -0.4609,
        'published rows: t_synop_fc_s': 0.1201,
        'published rows: t_neuron_s': 0.1368,
        'published rows: p_static_w': -0.1412,
        'published rows: p_infra_w@alia-point': 0.8334},
},
    'hala-point': {
    'p_infra_w': {'published rows: p_infra_w@hala-point': 1.0},
},
}
