"""Traffic of mappings of the same bundle, by one judge: spike-hops and bytes between chips, for one token.

    python benchmarks/mapping_traffic.py BUNDLE.nd MAPPING.json [MAPPING.json ...]

The mappings are files as `neurodeploy map` stores them in a bundle (or the member ``mapping.json`` of another one), made by
any version of the mapper; they are recounted here from their shards alone, so that "before" and "after" can be told.
``--map SYSTEM OUT.json`` makes such a file with the mapper of this checkout (``--objective``, ``--seed`` as there).
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from neurodeploy.bundle import open_bundle
from partitioner.files.json_form import mapping_from_json, mapping_to_json
from partitioner.mapper import map_model
from partitioner.nets.traffic import traffic
from partitioner.options import OBJECTIVES, Options
from partitioner.verify.violations import verify
from targets.systems import get_system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle")
    parser.add_argument("mappings", nargs="*")
    parser.add_argument("--map", nargs=2, metavar=("SYSTEM", "OUT"))
    parser.add_argument("--objective", choices=OBJECTIVES, default="cores")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    program = open_bundle(given.bundle).program
    if given.map:
        begun = time.process_time()
        options = Options(objective=given.objective, seed=given.seed)
        mapping = map_model(program, get_system(given.map[0]), options)
        print(f"mapped in {time.process_time() - begun:.2f} s of processor time")
        Path(given.map[1]).write_text(json.dumps(mapping_to_json(mapping)), encoding="utf-8")
    for path in [*given.mappings, *([given.map[1]] if given.map else [])]:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        mapping = mapping_from_json(found.get("mapping", found))
        system = get_system(mapping.system)
        counted, wrong = traffic(mapping, program, system), verify(mapping, program, system)
        print(
            f"{path}: {mapping.cores_used} cores on {mapping.chips_used} chips of {system.name}, "
            f"{len(wrong)} violations; a token: {counted.spike_hops:,.0f} spike-hops, "
            f"{counted.interchip_hops * counted.message_bytes:,.0f} bytes between chips, "
            f"{counted.events_to_cores:,.0f} deliveries, {counted.partials_between_cores:,.0f} + "
            f"{counted.partials_between_chips:,.0f} partial sums between cores and chips"
        )


if __name__ == "__main__":
    main()
