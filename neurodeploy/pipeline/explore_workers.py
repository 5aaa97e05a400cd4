"""Calls in processes: of this machine (joblib's loky), or of a Ray cluster by way of joblib's backend for it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import current_process
from typing import Any

from neurodeploy.errors import TargetUnavailable, UserError
from neurodeploy.machine.threads import thread_count

#: `--ray local` starts a cluster on this machine; every other word is the address of one.
LOCAL = "local"
#: How long a cluster may take to answer.
SECONDS = 10.0
#: Who started this process; another one once that is gone.
_STARTED_BY = os.getppid()
Call = tuple[Callable[..., Any], tuple[Any, ...]]


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def stop_if_left() -> None:
    """End this process where it is a worker whose run was killed: what it has finished is kept, nobody waits for more."""
    if current_process().name != "MainProcess" and os.getppid() != _STARTED_BY:
        os._exit(1)


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch and our own kernels on one thread for the time of a ``with``: the last bits of float sums, and so the numbers of
    a table, do not depend on how many processes share a machine."""
    import torch

    before = thread_count()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Workers:
    """jobs : processes, by default one a core, on a cluster all that it has. ray : None, "local", or an address."""

    def __init__(self, jobs: int | None, ray: str | None) -> None:
        if jobs is not None and jobs < 1:
            raise UserError("ND3322", "--jobs", f"of {jobs} is not possible", "give at least one")
        self.jobs, self.ray = jobs, ray
        if ray is not None:
            _join(ray, jobs)

    def each(self, calls: Sequence[Call]) -> Iterator[Any]:
        """The results of all calls: on this machine each when it is finished, from a cluster all at once."""
        from joblib import Parallel, delayed, parallel_config

        jobs = self.jobs or (-1 if self.ray else cores())
        options: dict[str, Any] = {"backend": "ray"} if self.ray else {"backend": "loky", "inner_max_num_threads": 1}
        if not calls:
            return
        with parallel_config(**options):
            # One call at a time: they take seconds to hours, and what is finished should be known at once.
            given_back = "list" if self.ray else "generator_unordered"
            parallel = Parallel(n_jobs=jobs, return_as=given_back, batch_size=1, pre_dispatch="all")
            yield from parallel(delayed(function)(*arguments) for function, arguments in calls)


def _join(address: str, jobs: int | None) -> None:
    """Make Ray a backend of joblib and join, or start, its cluster. ND3323 where that cannot be."""
    subject = f"--ray {address}"
    try:
        import ray
        from ray.util.joblib import register_ray
    except ImportError:
        fix = "install it: python -m pip install 'ray>=2.9', the extra `ray` of neurodeploy; or leave out --ray"
        raise TargetUnavailable("ND3323", subject, "needs Ray, which is not installed", fix) from None
    register_ray()
    if address == LOCAL:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would tell its makers of a cluster that we start
    if ray.is_initialized():
        return
    # "local" is Ray's word too: a new cluster, whatever else runs here.
    where: dict[str, Any] = {"address": address, **({"num_cpus": jobs or cores()} if address == LOCAL else {})}
    try:
        _reach(address)
        ray.init(include_dashboard=False if address == LOCAL else None, log_to_driver=False, **where)
    except (OSError, RuntimeError, ValueError) as error:
        problem = f"has no cluster: {str(error).splitlines()[0]:.200}"
        raise TargetUnavailable(
            "ND3323", subject, problem, "start it with ray start --head, or say --ray local"
        ) from None


def _reach(address: str) -> None:
    """`OSError` where nobody answers at a host and port: Ray itself asks for minutes."""
    host, _, port = address.rpartition("//")[2].rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=SECONDS).close()
