"""Chips, systems and hosts as values: every number with its band, its basis and its source.

A chip is one `ChipSpec` in one file (`loihi1.py`, `loihi2.py`), with its `SYSTEMS`: boards, and how many of it they have
(`systems.py` finds them). A host is a roofline (`hosts.py`; `measured_host.py` measures this machine), `machines.py` has
what was published of others. A new chip is a new file, and nothing else.

`ChipSpec.budget` limits one core, `ChipSpec.supports` names the neuron models and the ways of keeping synapses that it has.
`ChipSpec.formats` are integers: those that turn rows and columns into budgets, and the widest numbers that it has:

=============================  =====  ==========================================================================
key                            unit   meaning
=============================  =====  ==========================================================================
`synapse_row_header_bytes`     B      header of the list of targets that each in-axon of a core owns
`weight_bytes`                 B      a stored 8-bit weight; narrower weights are packed, rounded up per list
`weight_bits`                  1      widest weight that one synapse stores
`payload_bits`, `state_bits`   1      widest graded event (1: spikes alone), widest variable of a neuron
`delay_steps`                  1      longest delay beyond a synapse's own step
`neuron_state_bytes`           B      state of one neuron
`axon_entry_bytes`             B      entry of an axon table; 0 where these tables have a memory of their own
`message_bytes`                B      one message on the mesh and over the host link
=============================  =====  ==========================================================================

`ChipSpec.costs` holds a `Quantity` (low, nominal, high) by event. The suffix of a key is its unit: `_j` joule, `_s`
second, `_w` watt, `_b` byte, `_b_per_s` byte per second, `_count`, `_bits`, `_steps`, `_factor`, `_ratio` a pure
number.

===============================================  ====================================================================
key                                              charged for
===============================================  ====================================================================
`synop_fc_j`, `synop_conv_j`                     one synaptic operation: dense or sparse list, convolution
`synop_learning_j`, `t_synop_learning_s`         one synapse that is written: by a rule that learns, or as memory
`neuron_update_j`, `neuron_idle_j`               one neuron in one step, with and without a change of its state
`microcode_factor`                               multiplies neuron energy and time where the model is microcode
`spike_out_j`, `message_j`                       one spike of a neuron; its message to each core
`hop_ew_j`, `hop_ns_j`                           one 32-bit message over one router, east-west or north-south
`core_step_j`, `chip_step_j`                     one active core in one step; one chip in one step, its barrier
`interchip_bit_j`, `host_link_bit_j`             one bit between chips, one bit between host and board
`t_synop_fc_s`, `t_synop_conv_s`                 one synaptic operation on its core
`t_neuron_s`, `t_neuron_idle_s`, `t_spike_out_s` one neuron update (changed, unchanged), one message leaving
`t_message_in_s`, `t_message_out_s`              one message taken in, one handed out, where `ChipSpec.pace` asks
`t_learning_step_s`                              one step in which synapses are written
`energy_error_ratio`, `time_error_ratio`         what a run misses by though its coefficients be known
`t_hop_ew_s`, `t_hop_ns_s`                       one message over one router
`t_step_floor_s`, `t_barrier_multichip_s`        least time of a step on one chip; what several chips add to it
`t_host_link_s`                                  latency of one exchange with the host: events in, outputs back
`bw_link_b_per_s`, `bw_interchip_b_per_s`        core to router; all links of one chip
`bw_host_link_b_per_s`                           host to board
`p_static_w`, `p_infra_w`, `p_max_w`             for each powered chip: its rails, its share of the board, its ceiling
===============================================  ====================================================================

`ChipSpec.pace` says which of these times overlap in a step, and on how many routers the floor hangs.

The remaining keys (`cores_per_chip_count`, `sram_per_core_b`, `synapse_memory_b`, ...) give the band and the source of
the integers in `budget` and `formats`. Intel has published no energy per operation for Loihi 2: what stands under
`loihi2` is derived or carried over from Loihi 1, says so in its source, and is no substitute for a measurement. Part of
the papers was read in transcription; check a number against its paper before quoting it.
"""
