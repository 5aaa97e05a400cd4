"""Limits of the process that asks for them. Where the system has none, none."""

from __future__ import annotations

try:
    import resource
except ImportError:  # not POSIX
    resource = None  # type: ignore[assignment]


def confine(seconds: int, memory: int) -> None:
    """At most so much processor time from now on and so many bytes of address space; no core file. May be called again."""
    if resource is None:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    whole = int(used.ru_utime + used.ru_stime) + seconds
    for limit, value in ((resource.RLIMIT_CPU, whole), (resource.RLIMIT_AS, memory), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(limit)[1]
        resource.setrlimit(limit, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))
