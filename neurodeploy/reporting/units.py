"""Numbers as a reader wants them: SI prefixes, a band that shares its prefix, grouped digits, ranges of layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

#: A part of the JSON that a verb prints, and of a number its low, nominal and high value.
Data = Mapping[str, Any]
Band = Mapping[str, float]

DASH = "–"
#: Between groups of digits (narrow), and before a unit: spaces at which no line breaks.
THIN, SPACE = "\u202f", "\u00a0"
_PREFIXES = ("f", "p", "n", "µ", "m", "", "k", "M", "G", "T", "P", "E")
_UNITY = _PREFIXES.index("")


def breakable(text: str) -> str:
    """With plain spaces, for who searches or splits it."""
    return text.replace(THIN, " ").replace(SPACE, " ")


def digits(value: float, significant: int = 3) -> str:
    """`value` rounded to so many significant digits, never in scientific notation: 4.61, 46.1, 461."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "not finite"
    exponent = math.floor(math.log10(abs(value)))
    decimals = max(0, significant - 1 - exponent)
    text = f"{value:.{decimals}f}"
    if len(text.replace(".", "").lstrip("-0")) > significant and decimals:  # 9.996 became 10.00
        text = f"{value:.{decimals - 1}f}"
    return text


def _step(value: float, unit: str) -> int:
    """Index of the prefix that puts `value` between 1 and 1000; bytes and counts have no prefix below one."""
    if value == 0 or not math.isfinite(value):
        return _UNITY
    step = _UNITY + math.floor(math.log10(abs(value)) / 3 + 1e-12)
    if abs(value) / 1000.0 ** (step - _UNITY) >= 999.5:
        step += 1
    lowest = _UNITY if unit in ("", "B") else 0
    return min(max(step, lowest), len(_PREFIXES) - 1)


def scale(value: float, unit: str) -> tuple[float, str]:
    """What one of the prefixed unit is worth, and its name: 4.61e-3, "J" -> (1e-3, "mJ")."""
    step = _step(value, unit)
    return 1000.0 ** (step - _UNITY), f"{_PREFIXES[step]}{unit}"


def si(value: float | None, unit: str = "", significant: int = 3) -> str:
    """4.61e-3, "J" -> "4.61 mJ"; None -> a dash. A count below 10 000 keeps its digits."""
    if value is None:
        return DASH
    if not math.isfinite(value):
        return "not finite"
    if unit == "" and abs(value) < 10_000:
        return count(value)
    factor, name = scale(value, unit)
    return f"{digits(value / factor, significant)}{SPACE}{name}".rstrip()


def span(band: Band | None, unit: str) -> str:
    """The low and the high of a band with one prefix, that of the nominal: "3.9 – 6.1 mJ"."""
    if band is None:
        return DASH
    factor, name = scale(band["nominal"] or band["high"], unit)
    low, high = (digits(band[key] / factor, 2 if band[key] / factor < 100 else 3) for key in ("low", "high"))
    return f"{low}{THIN}{DASH}{THIN}{high}{SPACE}{name}".rstrip()


def spread(band: Band, unit: str) -> str:
    """The nominal value and its band: "4.61 mJ (3.9 – 6.1 mJ)"."""
    return f"{si(band['nominal'], unit)} ({span(band, unit)})"


def count(value: float) -> str:
    """1080 -> "1 080"; 12.5 -> "12.5"."""
    if not math.isfinite(value):
        return "not finite"
    if value != int(value):
        return digits(value, 3) if abs(value) < 1000 else f"{value:,.0f}".replace(",", THIN)
    return f"{int(value):,}".replace(",", THIN)


def some(number: float, thing: str, written: Callable[[float], str] = count) -> str:
    """1, "core" -> "1 core"; 2 -> "2 cores"; the number as `written` has it ("1.25 M synapses" by `si`)."""
    return f"{written(number)} {thing}{'' if number == 1 else 's'}"


def percent(fraction: float | None, significant: int = 3, signed: bool = False) -> str:
    """0.0018 -> "0.18 %", without digits that say nothing."""
    if fraction is None:
        return DASH
    if not math.isfinite(fraction):
        return "not finite"
    value = fraction * 100
    text = digits(value, significant)
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return ("+" if signed and value > 0 else "") + text.replace("-", "\u2212") + f"{SPACE}%"


def share(fraction: float) -> str:
    """A part of a whole in whole percent; a small part is not written as none, nor a large one as all."""
    if 0 < fraction < 0.005:
        return f"<{THIN}1{SPACE}%"
    if 0.995 <= fraction < 1 - 1e-9:
        return f">{THIN}99{SPACE}%"
    return f"{fraction * 100:.0f}{SPACE}%"


def words(name: str) -> str:
    """A machine name as words: "synapse_bytes" -> "synapse bytes"."""
    return name.replace("_", " ")


def ranges(numbers: Iterable[int]) -> str:
    """{0, 1, 2, 5} -> "0–2, 5"; more than four pieces are cut short."""
    pieces: list[list[int]] = []
    for number in sorted(set(numbers)):
        if pieces and number == pieces[-1][1] + 1:
            pieces[-1][1] = number
        else:
            pieces.append([number, number])
    shown = [f"{a}" if a == b else f"{a}{DASH}{b}" for a, b in pieces[:4]]
    return ", ".join(shown) + (", …" if len(pieces) > 4 else "")


def total(bands: Iterable[Band]) -> Band:
    """Sum of bands, low with low and high with high: the ends of the sum if all parts err the same way."""
    low = nominal = high = 0.0
    for band in bands:
        low, nominal, high = low + band["low"], nominal + band["nominal"], high + band["high"]
    return {"low": low, "nominal": nominal, "high": high}
