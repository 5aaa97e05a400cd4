"""What `fit` was asked, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from neurodeploy.errors import UserError
from neurodeploy.ir.chip import HostSpec, SystemSpec

HEADS = ("auto", "chip", "host")
#: Largest context, in tokens.
LONGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of a call, checked. systems : those to try; alone : whether the user named one."""

    systems: tuple[SystemSpec, ...]
    alone: bool
    bits: tuple[int, ...]
    memory: tuple[int | None, ...]
    chips: int | None
    head: str
    host: HostSpec
    activity: float | None
    context: int | None

    def available(self, system: SystemSpec) -> int:
        return system.chips if self.chips is None else min(self.chips, system.chips)


def checked(
    system: str | None, bits: Sequence[int], chips: int | None, context: int | None, activity: float | None, host: str,
    memory: Sequence[int], head: str,
) -> Asked:  # fmt: skip
    """The options as they are used; ND2045 for one out of range, ND4001, ND4003 for no such system or host."""
    from targets.hosts import get_host
    from targets.systems import SYSTEMS, get_system

    def need(holds: bool, name: str, value: object, takes: str) -> None:
        if not holds:
            raise UserError("ND2045", name, f"is {value!r:.60}, fit takes {takes}", "give such a value")

    need(bool(bits) and all(type(b) is int and 1 <= b <= 8 for b in bits), "bits", tuple(bits), "widths of 1 to 8")
    need(all(type(k) is int and 1 <= k <= 1 << 20 for k in memory), "memory_kib", tuple(memory), "1 to 1048576 KiB")
    need(chips is None or (type(chips) is int and chips >= 1), "chips", chips, "at least 1")
    need(context is None or (type(context) is int and 1 <= context <= LONGEST), "context", context, f"1 to {LONGEST}")
    need(activity is None or 0 < activity <= 1, "activity", activity, "a fraction above 0 and at most 1")
    need(head in HEADS, "head", head, f"one of {', '.join(HEADS)}")
    profile = get_host(host)
    systems = tuple(SYSTEMS.values()) if system is None else (get_system(system),)
    if system is not None and chips is not None:
        need(chips <= systems[0].chips, "chips", chips, f"at most the {systems[0].chips} of {systems[0].name}")
    wanted = tuple(sorted(set(bits), reverse=True))
    sizes: tuple[int | None, ...] = (None, *sorted(set(memory), reverse=True))
    return Asked(systems, system is not None, wanted, sizes, chips, head, profile, activity, context)
