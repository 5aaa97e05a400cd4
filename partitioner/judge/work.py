"""What each core of a mapping does in a step or for a token, for its metrics: `flow.loads` by logical core."""

from __future__ import annotations

import numpy as np

from neurodeploy.flow.loads import COLUMNS, CONV_SYNOPS, FIXED_UPDATES, PARTIALS, SYNOPS, UPDATES, loads_of
from neurodeploy.flow.streams import Streams
from partitioner.judge.figures import CoreWork, Places


def work_of(streams: Streams, places: Places) -> CoreWork:
    """The work of each logical core in `streams.per` steps."""
    loads = np.zeros((places.cores, COLUMNS))
    np.add.at(loads, places.of_shard, loads_of(streams))
    return CoreWork(
        loads[:, SYNOPS] + loads[:, PARTIALS], loads[:, CONV_SYNOPS], loads[:, FIXED_UPDATES], loads[:, UPDATES]
    )
