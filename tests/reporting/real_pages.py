"""Pages as users get them, of everything that makes one; small models, and data that are made up where only large ones have
such sections."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import neurodeploy as nd
from neurodeploy import embedded
from neurodeploy.reporting.render import render
from tests.pipeline.networks import Files, make_files
from tests.reporting import spiking, synthetic

SYSTEM = "oheo-gulch"


class Pages:
    """Makes each page, and what it is made of, once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._kept: dict[str, Any] = {}

    def of(self, name: str) -> Path:
        return self._once(name, lambda: MAKERS[name](self))

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]

    @property
    def networks(self) -> Files:
        def make() -> Files:
            (self.folder / "networks").mkdir()
            return make_files(self.folder / "networks")

        found: Files = self._once("networks", make)
        return found

    def model(self, on_chip: str) -> Path:
        """The embedded language model, mapped."""
        return self._mapped(f"{on_chip}.nd", lambda out: nd.convert("demo", out=out, on_chip=on_chip))

    def tensors(self, name: str) -> tuple[Path, Path]:
        """A torch module, mapped, and its samples: a CNN all on the chip, or one whose softmax the host computes."""
        from torch import from_numpy, manual_seed, nn

        manual_seed(0)
        layers: list[Any] = [nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 10)]
        if name == "hybrid":
            layers.append(nn.Softmax(-1))
        samples = self.folder / "images.npy"
        images = np.random.default_rng(0).random((32, 1, 8, 8)).astype(np.float32)
        np.save(samples, images)

        def make(out: Path) -> None:
            nd.convert(nn.Sequential(*layers), out=out, example_inputs=from_numpy(images))

        return self._mapped(f"{name}.nd", make), samples

    def _mapped(self, name: str, make: Callable[[Path], object]) -> Path:
        def made() -> Path:
            make(self.folder / name)
            nd.map(self.folder / name, SYSTEM)
            return self.folder / name

        found: Path = self._once(name, made)
        return found

    def out(self, name: str) -> Path:
        return self.folder / f"{name}.html"


def _language(pages: Pages) -> Path:
    nd.report(pages.model("projections"), pages.out("language"), text=embedded.TEXT, max_tokens=128)
    return pages.out("language")


def _comparison(pages: Pages) -> Path:
    own, other = pages.model("projections"), pages.model("block")
    nd.report(own, pages.out("comparison"), beside=[other], compare=True)
    return pages.out("comparison")


def _spiking(pages: Pages) -> Path:
    bundle, input = pages.networks.of("plain")
    nd.report(bundle, pages.out("spiking"), input=input)
    return pages.out("spiking")


def _of_tensors(name: str) -> Callable[[Pages], Path]:
    def make(pages: Pages) -> Path:
        bundle, samples = pages.tensors(name)
        nd.report(bundle, pages.out(name), input=samples)
        return pages.out(name)

    return make


def _made_up(name: str, make: Callable[[], dict[str, Any]]) -> Callable[[Pages], Path]:
    return lambda pages: render(make(), pages.out(name))[0]


def _fit(name: str, *asked: str) -> Callable[[Pages], Path]:
    return lambda pages: Path(nd.fit(*asked, out=pages.out(name))["out"])


def _diff(pages: Pages) -> Path:
    own, other = pages.model("projections"), pages.model("block")
    return Path(nd.diff(own, other, out=pages.out("diff"))["out"])


def _diff_of_kinds(pages: Pages) -> Path:
    own, (other, samples) = pages.model("projections"), pages.tensors("cnn")
    return Path(nd.diff(own, other, input=samples, out=pages.out("kinds"))["out"])


def _explored(pages: Pages) -> Path:
    bundle, input = pages.networks.plain, pages.networks.spikes
    over = {"weight_bits": [4, 8], "system": SYSTEM}
    nd.explore(bundle, over, out=pages.out("explored"), input=input, jobs=1)
    return pages.out("explored")


def _result(verb: str, *asked: str) -> Callable[[Pages], Path]:
    """What a verb returns, as a notebook shows it: sections of the report, or its words where it has none."""

    def make(pages: Pages) -> Path:
        bundle = nd.open(pages.networks.plain_nd)
        fed = {"input": pages.networks.spikes} if "input" in asked else {}
        return Path(getattr(bundle, verb)(**fed).save(pages.out(verb)))

    return make


MAKERS: dict[str, Callable[[Pages], Path]] = {
    "language": _language,
    "comparison": _comparison,
    "spiking": _spiking,
    "cnn": _of_tensors("cnn"),
    "hybrid": _of_tensors("hybrid"),
    "fit": _fit("fit", "gemma3-1b", "alia-point"),
    "fit that fails": _fit("fails", "llama4-scout", "hala-point"),
    "diff": _diff,
    "diff of two kinds": _diff_of_kinds,
    "explored": _explored,
    "result of verify": _result("verify"),
    "result of explain": _result("explain"),
    "result of run": _result("run", "input"),
    "result of eval": _result("eval", "input"),
    "result of energy": _result("energy", "input"),
    "unfit": _made_up("unfit", synthetic.CASES["unfit"]),
    "many": _made_up("many", synthetic.CASES["many"]),
    "bare": _made_up("bare", synthetic.CASES["bare"]),
    "full": _made_up("full", spiking.full),
}
