"""The schema of what each verb prints with ``--json``, as pydantic models; published in docs/schemas by scripts/schemas.py.

A field that is not described is an error. A change that a reader of answers would notice, other than a new field, raises the
version in `neurodeploy.reporting.answer.VERSIONS` and in the model. Loaded by nothing that runs a verb.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from neurodeploy.reporting.schemas import checking, comparing, making, pricing, running

#: By verb; "fit_models" is ``fit --list``.
MODELS: dict[str, type[BaseModel]] = {
    "convert": making.ConvertAnswer, "fit": pricing.FitAnswer, "fit_models": checking.FitModelsAnswer,
    "map": making.MapAnswer, "run": running.RunAnswer, "generate": running.GenerateAnswer, "eval": running.EvalAnswer,
    "energy": pricing.EnergyAnswer, "calibrate": making.CalibrateAnswer, "explain": checking.ExplainAnswer,
    "report": checking.ReportAnswer, "export": making.ExportAnswer, "verify": checking.VerifyAnswer,
    "doctor": checking.DoctorAnswer, "explore": checking.ExploreAnswer, "demo": checking.DemoAnswer,
    "diff": comparing.DiffAnswer,
}  # fmt: skip


def published(verb: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a verb's answer."""
    made = MODELS[verb].model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_without_defaults(made)}


def _without_defaults(part: Any) -> Any:
    """Absent fields have no value: the null that stands for one in Python is not published."""
    if isinstance(part, dict):
        rest = {key: value for key, value in part.items() if not (key == "default" and value is None)}
        return {key: _without_defaults(value) for key, value in rest.items()}
    return [_without_defaults(value) for value in part] if isinstance(part, list) else part


def check(verb: str, answer: Any) -> None:
    """Raise `pydantic.ValidationError`, which names every field, where an answer is not what its schema says."""
    MODELS[verb].model_validate_json(json.dumps(answer))
