"""`explore`: what a model loses, costs and occupies over a grid of options, and the front that no other point beats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neurodeploy.bundle.files import canonical
from neurodeploy.errors import UserError
from neurodeploy.pipeline.explore_axes import CONVERT, MAP, Point, chosen, of_verb, read_over
from neurodeploy.pipeline.explore_sources import digest_of, digest_of_model, kind_of
from neurodeploy.pipeline.explore_stages import (
    LOSS,
    TENSORS,
    TEXTS,
    Common,
    Stages,
    bundle_of,
    converted,
    lost,
    mapped,
    priced,
)
from neurodeploy.pipeline.explore_workers import Workers, one_thread
from neurodeploy.pipeline.pricing import host_profile
from neurodeploy.pipeline.session import KINDS, STREAM, TEXT, Progress, refuse
from neurodeploy.pipeline.verbs import verb
from neurodeploy.reporting.answer import VERSIONS
from neurodeploy.storage.stage_files import digest
from neurodeploy.version import __version__

Row = dict[str, Any]
#: Of a point, its conversion, loss, mapping and price.
Keys = tuple[str, str, str, str]
#: What is made small on the front, by column of the table.
ON_FRONT = ("loss", "joules_wall", "chips_used")
#: Columns of what was found; those of the axes stand before them.
FOUND = (
    "loss", "loss_change", "kl_per_token", "joules_board", "joules_board_low", "joules_board_high", "joules_wall",
    "joules_wall_low", "joules_wall_high", "seconds", "seconds_low", "seconds_high", "chips_used", "cores_used",
    "host_islands", "bundle", "front", "error",
)  # fmt: skip


@verb
def explore(
    model: Any,
    over: Mapping[str, Any] | Sequence[str],
    *,
    out: str | Path = "explore.html",
    work: str | Path | None = None,
    budget: int | None = None,
    seed: int = 0,
    jobs: int | None = None,
    ray: str | None = None,
    text: str | Path | None = None,
    input: Any = None,
    calibration: Any = None,
    example_inputs: Any = None,
    max_tokens: int | None = None,
    with_float: bool = True,
    prompt_tokens: int | None = None,
    tokens: int | None = None,
    steps: int | None = None,
    layout: str | None = None,
    host: str = "cpu-generic",
    powered: str = "used",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Convert, evaluate, map and price every point of a grid; the dictionary is what ``explore --json`` prints.

    Parameters
    ----------
    model : what `convert` takes.
    over : axes, options of `convert` and `map` by name (`explore_axes.AXES`): {"preset": ["default", "a8"], "system": None};
        one value fixes an option, None stands for all values that suit most models. Or words, as on the command line.
    out : page to write; ``.json`` and ``.csv`` of the same name beside it. They do not depend on how the work was shared or
        interrupted: equal calls on one machine write equal bytes.
    work : folder of finished stages (default: `out` with the ending .work). The same call goes on with what is there.
    budget, seed : compute only so many points of the grid, drawn without replacement by this seed.
    jobs : processes (default: one a core), each on one thread. ray : "local" or the address of a Ray cluster to run them on,
        which sees `work` under the same path.
    text, input : what is evaluated and run: of a language model a text (default of the embedded model: its held-out text),
        of other networks an input as `run` takes it.
    calibration, example_inputs : of `convert`. max_tokens, with_float, steps, layout : of `eval`. prompt_tokens, tokens,
        steps, layout, host, powered : of `energy`.

    Returns
    -------
    "answer", and "rows", a dictionary a point: axes; "loss" (what it is: "loss_is"); joules at board and wall and seconds of
    one "unit", each with its band; chips and cores in use; "front", whether no other point is as good in loss, joules at the
    wall and chips and better in one; "bundle", the mapped bundle in `work`; "error", why figures are missing.

    Raises ND3320 to ND3322 for axes, budget or jobs that are none, ND3323 without Ray, ND3262 where nothing is given to run,
    and what reading the model raises. What is impossible at one point is told in its row.
    """
    from neurodeploy.pipeline.explore_files import check, written
    from neurodeploy.pipeline.explore_table import answer, mark_front

    axes = read_over(over)
    folder = Path(out).with_suffix(".work") if work is None else Path(work)
    check(Path(out), folder)
    points, rule = chosen(axes, budget, seed)
    kind = kind_of(model)
    data = _data(model, kind, text, input)
    host_profile(host, False)  # a wrong name is told before the work
    of_text = {"prompt_tokens": prompt_tokens, "tokens": tokens, "max_tokens": max_tokens}
    of_stream = {"steps": steps, "layout": layout}
    refuse(KINDS[STREAM if kind == TEXTS else TEXT].several, of_stream if kind == TEXTS else of_text)
    shared = {"calibration": calibration, "example_inputs": example_inputs}
    run = {
        "eval": {"max_tokens": max_tokens, "with_float": with_float} if kind == TEXTS else of_stream,
        "energy": {"prompt_tokens": prompt_tokens, "tokens": tokens} if kind == TEXTS else of_stream,
    }
    asked = Common(
        _absolute(model), kind, folder.resolve(), None if data is None else Path(data).resolve(),
        {name: _absolute(value) for name, value in shared.items() if value is not None},
        {verb: {name: value for name, value in given.items() if value is not None} for verb, given in run.items()},
        host, powered,
    )  # fmt: skip
    stages, keys = _computed(asked, points, Workers(jobs, ray), progress)
    rows = [_row(i, point, stages, keys[i]) for i, point in enumerate(points)]
    mark_front(rows, ON_FRONT)
    table = {
        **_head(asked, model, stages, keys),
        "over": {name: list(values) for name, values in axes.items()},
        "chosen": rule,
        "rows": rows,
    }
    table = {"answer": answer(table, rows), **table}
    paths = written(Path(out), table)
    told = {"work": str(folder), "reused": stages.reused, "computed": stages.computed, "notes": stages.files.notes}
    return {**table, "paths": paths, "stages": told}


def _head(asked: Common, model: Any, stages: Stages, keys: Sequence[Keys]) -> dict[str, Any]:
    """What was explored, and what its figures are of."""
    losses = [stages.found.get(key[1], {}).get("float") for key in keys]
    return {
        "schema": f"neurodeploy-explore/{VERSIONS['explore']}",
        "model": str(model) if isinstance(model, str | Path) else type(model).__name__,
        "kind": asked.kind,
        "data": None if asked.data is None else asked.data.name,
        "loss_is": LOSS[asked.kind],
        "relative": asked.kind == TEXTS,
        "float_loss": min((loss for loss in losses if loss is not None), default=None),
        "unit": next((found["unit"] for found in stages.found.values() if "unit" in found), None),
        "host": asked.host,
        "powered": asked.powered,
    }


def _data(model: Any, kind: str, text: str | Path | None, input: str | Path | None) -> str | Path | None:
    """What is run, of `text` and `input` the one that suits. ND3262 for the other, or for none."""
    from neurodeploy import embedded
    from neurodeploy.frontends.packaged import DEMO

    given, other = ((TEXT, text), (STREAM, input)) if kind == TEXTS else ((STREAM, input), (TEXT, text))
    if other[1] is not None:
        raise UserError("ND3262", f"--{other[0]}", f"does not suit a {kind}", f"give --{given[0]} FILE")
    if given[1] is None and str(model) == DEMO:
        return embedded.TEXT
    if given[1] is None:
        subject = model if isinstance(model, str | Path) else type(model).__name__
        raise UserError("ND3262", subject, "has nothing to be evaluated and priced on", f"give --{given[0]} FILE")
    return given[1]


def _absolute(value: Any) -> Any:
    """A path as workers in other folders need it; names of models and what is no path stay."""
    from neurodeploy.frontends.packaged import DEMO, PACKAGED

    if not isinstance(value, str | Path) or str(value) in (DEMO, *PACKAGED) or not Path(value).exists():
        return value
    return str(Path(value).resolve())


def _computed(
    asked: Common, points: Sequence[Point], workers: Workers, progress: Progress | None
) -> tuple[Stages, list[Keys]]:
    """All stages, and of each point the keys of its conversion, loss, mapping and price."""
    from neurodeploy.machine.arithmetic import arithmetic

    with one_thread():
        base = digest(__version__, arithmetic(), digest_of_model(asked.model, asked.kind), *_of_options(asked))
    data = digest_of(asked.data)
    ran = {verb: canonical(dict(given)) for verb, given in asked.run.items()}
    keys: list[Keys] = []
    by_conversion: dict[str, Point] = {}
    by_mapping: dict[str, Point] = {}
    for point in points:
        options = {verb: of_verb(point, verb) for verb in (CONVERT, MAP)}
        options[MAP], own = _of_file(options[MAP])
        one = digest("convert", base, canonical(options[CONVERT]))
        two = digest("loss", one, data, ran["eval"])
        three = digest("map", one, canonical(options[MAP]), asked.host, *own)
        keys.append((one, two, three, digest("price", three, data, ran["energy"], asked.powered)))
        by_conversion.setdefault(one, options[CONVERT])
        by_mapping.setdefault(three, options[MAP])
    checked = asked.kind == TENSORS  # by `convert` itself
    distinct = [list(dict.fromkeys(column)) for column in zip(*keys, strict=True)]
    stages = Stages(asked.work, workers, progress, sum(map(len, distinct)) - checked * len(distinct[1]))
    stages.run([(converted, (asked, key, by_conversion[key])) for key in stages.take_known("convert", distinct[0])])
    good = [each for each in keys if "error" not in stages.found[each[0]]]
    of = {key: each[0] for each in good for key in each}
    losses = [] if checked else stages.take_known("loss", list(dict.fromkeys(each[1] for each in good)))
    maps = stages.take_known("map", list(dict.fromkeys(each[2] for each in good)))
    stages.run(
        [(lost, (asked, key, of[key])) for key in losses]
        + [(mapped, (asked, key, of[key], by_mapping[key])) for key in maps]
    )
    good = [each for each in good if "error" not in stages.found[each[2]]]
    map_of = {each[3]: each[2] for each in good}
    groups: dict[str, list[tuple[str, str]]] = {}
    for key in stages.take_known("price", list(map_of)):
        groups.setdefault(of[key], []).append((key, map_of[key]))
    stages.run([(priced, (asked, one, wanted)) for one, wanted in groups.items()])
    return stages, keys


def _of_file(options: Point) -> tuple[Point, list[str]]:
    """Options of `map` as workers in other folders need them, and the digest of a system of the user's own."""
    from targets.systems import get_system, is_file

    system = str(options.get("system", ""))
    if not is_file(system):
        return options, []
    origin = get_system(system).origin
    return {**options, "system": str(Path(system).resolve())}, [] if origin is None else [origin.sha256]


def _of_options(asked: Common) -> list[str]:
    return [part for name, value in asked.options.items() for part in (name, digest_of(value))]


def _row(number: int, point: Point, stages: Stages, keys: Keys) -> Row:
    """One line of the table, of the facts of its stages; None where a stage was not reached."""
    made, loss, placed, price = (stages.found.get(key, {}) for key in keys)
    row = {"point": number, **point, **dict.fromkeys(FOUND)}
    row["loss"] = loss.get("loss", made.get("loss"))
    row["loss_change"], row["kl_per_token"] = loss.get("bits_per_byte_change"), loss.get("kl_per_token")
    bands = {f"joules_{name}": band for name, band in price.get("joules", {}).items()}
    bands |= {"seconds": price["seconds"]} if "seconds" in price else {}
    for name, band in bands.items():
        row |= {name: band["nominal"], f"{name}_low": band["low"], f"{name}_high": band["high"]}
    row |= {name: placed.get(name) for name in ("chips_used", "cores_used", "host_islands")}
    if row["chips_used"] is not None:
        row["bundle"] = bundle_of(stages.work, "map", keys[2]).name
    row["front"] = False
    row["error"] = next((facts["error"] for facts in (made, loss, placed, price) if "error" in facts), None)
    return row
