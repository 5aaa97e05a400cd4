"""One thread everywhere, and nothing that depends on how fast the machine is.

Tests share their machine, and contended threads cost more than they give. Generated examples have no deadline, and no
progress is reported meanwhile, however long a call takes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ["COLUMNS"] = "400"  # no message is broken into lines, whatever the terminal
os.environ.pop("NEURODEPLOY_DEBUG", None)  # no debugging from outside

import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

#: Folders whose files share what takes long to make, or look at the processes of the machine: one process runs them all.
TOGETHER = ("edges", "lava", "offload", "pipeline", "reporting", "interchange")

import numpy as np  # noqa: E402

import neurodeploy  # noqa: E402, F401  (first of all: it passes a limit on the instructions on to torch and numba)
from tests.tiny import block_bundle, cli, experts, experts_bundle, llama, llama_bundle  # noqa: E402, F401


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Small spiking networks, their inputs and bundles: the `Files` of `tests.pipeline.networks`."""
    from tests.pipeline.networks import make_files

    return make_files(tmp_path_factory.mktemp("spiking"))


@pytest.fixture(scope="session", autouse=True)
def _no_progress() -> None:
    from neurodeploy.reporting import progress

    progress.INTERVAL_S = float("inf")


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Every kernel call is split, however small, over this many threads."""
    import torch

    monkeypatch.setattr("neurodeploy.machine.threads.GRAIN", 1)
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def _generators(item: pytest.Item) -> list[np.random.Generator]:
    made = vars(getattr(item, "module", item)).values()
    return [each for each in made if isinstance(each, np.random.Generator)]


#: Of each generator of a test file, its state once the file was imported.
_STATES = pytest.StashKey[list[Any]]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A file's generators begin each test where its import left them: no test's numbers hang on what ran before it."""
    for generator, state in zip(_generators(item), item.stash[_STATES], strict=True):
        generator.bit_generator.state = state


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where several processes share the tests, a file stays in one of them."""
    root = Path(__file__).parent
    for item in items:
        item.stash[_STATES] = [each.bit_generator.state for each in _generators(item)]
        place = item.path.relative_to(root)
        group = place.parts[0] if place.parts[0] in TOGETHER else str(place)
        item.add_marker(pytest.mark.xdist_group(group))
