"""Schemas of answers: what verbs print is what they say, they refuse all else, and docs/schemas has them as they are.

Most answers of most kinds of bundles are checked where `tests/one_program` asks for them.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

import neurodeploy as nd
from neurodeploy import pipeline
from neurodeploy.reporting.answer import VERSIONS, Result
from neurodeploy.reporting.schemas import MODELS, check, published
from tests.pipeline.networks import Files
from tests.tiny import environment

ROOT = Path(__file__).parents[2]
PROSE = "It was a bright cold day in April, and the clocks were striking thirteen. " * 3


@pytest.fixture(scope="module")
def answers(files: Files, llama: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, Any]]:
    """Answers by what was asked, each with its verb: of a language model with options that add to them, and of what has no
    bundle."""
    folder = tmp_path_factory.mktemp("schemas")
    text, bundle, other = folder / "prose.txt", folder / "x.nd", folder / "y.nd"
    text.write_text(PROSE)
    quick: dict[str, Any] = {"preset": "quick", "calibration_tokens": 96}
    convert = nd.convert(llama, bundle, **quick)
    nd.convert(llama, other, on_chip="block", **quick)
    mapped, explained = nd.map(bundle, "oheo-gulch", write_plan=folder / "plan.csv"), nd.explain(bundle)
    nd.map(other, "oheo-gulch")
    small: dict[str, Any] = {"text": text, "prompt_tokens": 8, "tokens": 2}
    labels = folder / "labels.npy"
    np.save(labels, np.zeros(3, np.int64))
    chain = {
        "convert": convert, "map": mapped, "explain": explained, "verify": nd.verify(bundle), "eval": nd.eval(bundle, text),
        "generate": nd.generate(bundle, "abc", 3, compare_float=True), "energy": nd.energy(bundle, **small),
    }  # fmt: skip
    compared = nd.energy(bundle, **small, beside=[other], changes="gate")
    demo = {
        **chain, "block": chain, "all": chain, "report": ["demo.html"], "compared": compared["variants"],
        "same_text": {"block": True}, "host": {"projections": ["embedding"]},
    }  # fmt: skip
    found = {
        **{verb: (verb, answer) for verb, answer in chain.items()}, "variants": ("energy", compared),
        "demo": ("demo", Result("demo", demo)), "doctor": ("doctor", nd.doctor()),
        "names": ("fit_models", pipeline.fit_models()), "does not fit": ("fit", nd.fit("llama4-scout", "oheo-gulch")),
        "partitioned": ("run", nd.run(bundle, text, runner="partitioned")),
        "without float": ("eval", nd.eval(bundle, text, with_float=False)),
        "labels": ("eval", nd.eval(files.plain_nd, input=files.spikes, labels=labels)),
        "resumed": ("run", nd.run(files.plain_nd, input=files.spikes, out=folder / "o.npz", checkpoint=folder / "c")),
        "net": ("convert", nd.convert(files.net, folder / "net.nd")),
        "offload": ("map", nd.map(folder / "net.nd", "oheo-gulch", chips=1)),
        "diff": ("diff", nd.diff(bundle, other, **small, out=folder / "diff.json")),
        "diff of two kinds": ("diff", nd.diff(bundle, files.graded_nd)),
        "fit that is kept": ("fit", nd.fit("gpt2", "oheo-gulch", out=folder / "fit.html")),
    }  # fmt: skip
    return json.loads(json.dumps(found))


ASKED = (
    "convert", "map", "explain", "verify", "eval", "generate", "energy", "variants", "demo", "doctor", "names",
    "does not fit", "partitioned", "without float", "labels", "resumed", "net", "offload",
    "diff", "diff of two kinds", "fit that is kept",
)  # fmt: skip


@pytest.mark.parametrize("asked", ASKED)
def test_answers_are_what_schemas_say(asked: str, answers: dict[str, tuple[str, Any]]) -> None:
    verb, answer = answers[asked]
    check(verb, answer)
    if verb in VERSIONS:
        assert answer["schema"] == f"neurodeploy-{verb}/{VERSIONS[verb]}"


@pytest.mark.parametrize(
    "verb", ["convert", "map", "run", "eval", "generate", "energy", "verify", "doctor", "demo", "fit", "diff"]
)
def test_drift_is_refused(verb: str, answers: dict[str, tuple[str, Any]]) -> None:
    """A field more at the top, any field less that is always there, a null where a field is absent, another version."""
    answer = next(found for of, found in answers.values() if of == verb)
    wrong = [{**answer, "new": 1}, {**answer, "schema": f"neurodeploy-{verb}/99"}]
    whole = published(verb)
    needed = whole["required"] if "required" in whole else of_text(whole)
    wrong += [{key: value for key, value in answer.items() if key != name} for name in needed]
    for changed in wrong:
        with pytest.raises(ValidationError):
            check(verb, changed)


def of_text(schema: dict[str, Any]) -> list[str]:
    """What `eval` of a text always says; of a stream it says other things."""
    assert [part["$ref"] for part in schema["anyOf"]] == ["#/$defs/EvalOfText", "#/$defs/EvalOfStream"]
    return list(schema["$defs"]["EvalOfText"]["required"])


def test_values_of_a_wrong_type_are_refused(answers: dict[str, tuple[str, Any]]) -> None:
    for path, value in {
        ("populations", "lm_head", "messages"): "many", ("populations", "lm_head", "density"): 0.5, ("steps",): -1,
        ("projections", "lm_head.synapses", "density"): 1.5, ("host_work",): None, ("executed",): None,
        ("samples",): True, ("populations", "lm_head", "rate"): float("nan"),
    }.items():  # fmt: skip
        found = copy.deepcopy(answers["partitioned"][1])
        part = found
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = value
        with pytest.raises(ValidationError):
            check("run", found)


def test_every_field_is_described() -> None:
    """With a sentence, which says joules, seconds and bytes where the field is of them."""
    for verb in MODELS:
        for where, field in fields_of(published(verb), verb):
            name, said = where.rpartition(".")[2], field.get("description", "")
            assert said.endswith(".") and len(said) > 5, where
            for unit in ("joules", "seconds", "bytes"):
                assert unit not in name or unit in said.lower(), where


def fields_of(schema: dict[str, Any], verb: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, part in {verb: schema, **schema.get("$defs", {})}.items():
        for field, told in part.get("properties", {}).items():
            yield f"{verb}: {name}.{field}", told


def test_published_schemas_are_these(tmp_path: Path) -> None:
    """Else run scripts/schemas.py."""
    subprocess.run([sys.executable, ROOT / "scripts" / "schemas.py", "--out", tmp_path], env=environment(), check=True)
    made, kept = ({file.name: file.read_text(encoding="utf-8") for file in folder.glob("*.json")}
                  for folder in (tmp_path, ROOT / "docs" / "schemas"))  # fmt: skip
    assert made == kept and set(made) == {f"{verb}.json" for verb in MODELS}
    for verb, version in VERSIONS.items():
        assert f'"neurodeploy-{verb}/{version}"' in made[f"{verb}.json"]


def test_verbs_load_no_schemas() -> None:
    script = (
        "import sys, neurodeploy as nd; nd.fit('gemma3-1b', 'oheo-gulch', bits=(8,)); print('pydantic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("False\n", "")
