"""What a shard costs: budgets of a core, lists of synapses, partial sums, one view of a population."""
