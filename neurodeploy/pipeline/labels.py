"""Labels, a class for each sample of an input: reading them, and which classes a network takes for which."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import UserError
from neurodeploy.frontends.streams import Stream
from neurodeploy.frontends.streams.reading import LAYOUTS
from neurodeploy.storage.numpy_files import header_of, mapped
from neurodeploy.storage.opening import read_bounded

Classes = NDArray[np.int64]
#: Bytes of a text of labels, at most.
_MOST = 1 << 26
#: Other classes that samples of one class were taken for: the most frequent.
_TAKEN = 3
_FIX = "give an .npy, .csv or .txt with one whole number for each sample"
_NUMBER = re.compile(r"[+-]?\d{1,18}")


def read_labels(path: str | Path, stream: Stream, classes: int | None = None) -> Classes:
    """(samples,) classes, counted from 0. ND3269 for anything else.

    An .npy holds integers of that shape; any other file is text, numbers between commas or white space, after a line of
    words or none. classes : how many there can be, the neurons of the largest output.
    """
    path = Path(path)
    try:
        found = _of_numpy(path, stream) if path.suffix.lower() == ".npy" else _of_text(path, stream)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError("ND3269", path, f"cannot be read: {reason:.200}", _FIX) from None
    most = np.iinfo(np.int64).max if classes is None else classes
    odd = np.flatnonzero((found < 0) | (found >= most))
    if len(odd):
        problem = f"names class {found[odd[0]]} for sample {odd[0] + 1}"
        problem += "" if classes is None else f", and no output has more than {classes} neurons"
        raise UserError("ND3269", path, problem, "count classes from 0, in the order of the output's neurons")
    return found


def _of_numpy(path: Path, stream: Stream) -> Classes:
    header = header_of(path)
    if header.dtype.kind not in "iu":
        problem = f"has shape {header.shape} and type {header.dtype} for {stream.samples} samples"
        raise UserError("ND3269", path, problem, _FIX)
    if header.shape != (stream.samples,):
        raise _wrong_number(path, stream, f"shape {header.shape} and type {header.dtype}", header.shape)
    return mapped(path, header).astype(np.int64)


def _of_text(path: Path, stream: Stream) -> Classes:
    data = read_bounded(path, _MOST)
    if data is None:
        raise ValueError(f"it has more than {_MOST} bytes")
    found = list[int]()
    for number, line in enumerate(data.decode("utf-8-sig").splitlines(), 1):
        words = re.split(r"[\s,;]+", line.strip(" \t,;"))
        if words == [""]:
            continue
        odd = next((word for word in words if not _NUMBER.fullmatch(word)), None)
        if odd is None:
            found += map(int, words)
        elif number > 1 or len(words) > 1:
            raise ValueError(f"line {number}: {odd[:40]!r} is no whole number")
    if len(found) != stream.samples:
        raise _wrong_number(path, stream, f"{len(found)} numbers", (len(found),))
    return np.array(found, np.int64)


def _wrong_number(path: Path, stream: Stream, has: str, shape: tuple[int, ...]) -> UserError:
    problem, fix = f"has {has} for {stream.samples} samples", _FIX
    if shape == (stream.steps,):
        problem += f" of {stream.steps} steps"
        fix = f"if the first axis of the input is time, add --layout {LAYOUTS[1]}"
    return UserError("ND3269", path, problem, fix)


def confusion(classes: Classes, decided: Mapping[str, Classes | None]) -> dict[str, Any]:
    """How many samples each of "chip" and "float" (None: not known) puts into its class, how many both put into the same,
    and by class, those with the largest share of errors of the chip first, what the chip takes its samples for."""
    chip, theirs = decided["chip"], decided["float"]
    assert chip is not None
    return {
        "chip_correct": int(np.count_nonzero(chip == classes)),
        "float_correct": None if theirs is None else int(np.count_nonzero(theirs == classes)),
        "same_decision": None if theirs is None else int(np.count_nonzero(chip == theirs)),
        "classes": sorted(_by_class(classes, chip), key=lambda row: (row["right"] / row["samples"], row["class"])),
    }


def _by_class(classes: Classes, chip: Classes) -> Iterable[dict[str, Any]]:
    for name in np.unique(classes):
        choices = Counter(chip[classes == name].tolist())
        samples, right = choices.total(), choices.pop(int(name), 0)
        taken = sorted(choices.items(), key=lambda item: (-item[1], item[0]))[:_TAKEN]
        yield {
            "class": int(name), "samples": samples, "right": right,
            "taken_for": [{"class": other, "samples": times} for other, times in taken],
        }  # fmt: skip
