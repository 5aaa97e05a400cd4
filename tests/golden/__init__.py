"""What must not change: integers, mappings and ledgers, recorded by `scripts/golden.py` as one JSON file for each kind."""
