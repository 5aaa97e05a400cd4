"""`export --lava`: the script runs in Lava's environment without neurodeploy, and sends our spikes."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from neurodeploy import pipeline
from neurodeploy.errors import UserError
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.synapses import Conv, Dense
from simulators.lava import LavaInstallation, find_lava
from simulators.lava.discovery import clean_environment
from simulators.lava.script import plain_script
from simulators.reference import ReferenceRunner
from tests.lava.board import stand_in
from tests.lava.test_on_lava import small, spikes
from tests.networks.random_networks import random_network
from tests.pipeline.networks import Files, copied
from tests.refusals import refused
from tests.tiny import Cli

__all__ = ["stand_in"]
LAVA = find_lava()
needs_lava = pytest.mark.skipif(LAVA is None, reason="no Lava: `make lava` installs it")


def ran(lava: LavaInstallation | None, script: Path, *arguments: object) -> dict[str, Any]:
    """What a script writes, run by Lava's interpreter in a folder where there is nothing of ours."""
    assert lava is not None
    called = [str(lava.python.absolute()), "-c", ALONE, str(script), *map(str, arguments)]
    done = subprocess.run(
        called, cwd=script.parent, env=clean_environment(), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    with np.load(script.with_name(f"{script.stem}_outputs.npz")) as file:
        return dict(file) | {"said": done.stdout}


#: Runs a script as the main program, and fails where it has loaded anything of ours.
ALONE = """
import runpy, sys
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
assert not {"neurodeploy", "simulators", "worker"} & set(sys.modules)
"""


def written(network: Network, place: Path, given: Mapping[str, Any]) -> Path:
    made = plain_script(network, place.name, given)
    place.write_text(made.text)
    place.with_name(f"{place.stem}_repairs.py").write_text(made.repairs)
    np.savez(place.with_suffix(".npz"), **made.arrays)
    return place


@needs_lava
@pytest.mark.parametrize("kind", ["plain", "net", "image"])
def test_the_script_of_a_bundle_sends_our_spikes(kind: str, files: Files, tmp_path: Path, cli: Cli) -> None:
    bundle, given = files.of(kind)
    found = cli.json("export", bundle, "--lava", tmp_path / "net.py", "--input", given)
    assert found["format"] == "lava" and (tmp_path / "net.net").is_file() == (kind == "net")
    assert kind == "net" or any(note.startswith("no net.net: ") for note in found["notes"])
    sent = ran(LAVA, tmp_path / "net.py")
    cli.json("run", bundle, "--input", given, "--out", tmp_path / "ours.npz", "--runner", "reference")
    with np.load(tmp_path / "ours.npz") as file:
        ((name, expected),) = ((key[4:], file[key][0]) for key in file.files if key.startswith("out."))
    if kind == "image":  # neurons of the script in the order of the chip, those of --out in that of NIR
        assert sent[name].sum() == expected.sum() > 0
        expected = (
            expected.reshape(-1, *files_shape(bundle, name)[::-1]).transpose(0, 3, 2, 1).reshape(len(expected), -1)
        )
    assert expected.any()
    np.testing.assert_array_equal(sent[name], expected)
    assert f"{name}: {np.count_nonzero(expected)} messages" in sent["said"]
    if kind == "net":
        with h5py.File(tmp_path / "net.net") as file:
            assert [bytes(file[f"layer/{i}/type"][0]) for i in range(3)] == [b"input", b"dense", b"dense"]


def files_shape(bundle: Path, name: str) -> tuple[int, ...]:
    from neurodeploy.bundle import open_bundle

    return open_bundle(bundle).program.network.populations[name].shape


@needs_lava
def test_random_networks_of_lavas_own_processes(tmp_path: Path) -> None:
    """Every kind of weights, delays, graded payloads, starts that are not zero: those of the seeds that Lava has whole."""
    done = []
    for seed in (0, 3, 5, 8):
        network, inputs, steps = random_network(seed, lava=True)
        given = {name: array[0] for name, array in inputs.items()}
        try:
            script = written(network, tmp_path / f"s{seed}.py", given)
        except UserError as error:
            assert error.code == "ND4106"
            continue
        sent = ran(LAVA, script)
        expected = ReferenceRunner().run(network, {name: array[:1] for name, array in inputs.items()}, steps)
        for name, array in expected.outputs.items():
            np.testing.assert_array_equal(sent[name], array[0], err_msg=f"seed {seed}, {name}")
        done.append(any(array.any() for array in expected.outputs.values()))
    assert sum(done) >= 2


@needs_lava
def test_on_a_board_the_script_goes_by_the_adapters(stand_in: Path, tmp_path: Path) -> None:
    network, inputs = small(), spikes(1, 12)
    sent = ran(find_lava(), written(network, tmp_path / "s.py", {"in": inputs["in"][0]}), "--board")
    expected = ReferenceRunner().run(network, inputs, 12).outputs["hidden"][0]
    assert len(sent["hidden"]) == 20 and expected.any()
    np.testing.assert_array_equal(sent["hidden"][3:15], expected)
    assert "0.68 W on VDD" in sent["said"]


@needs_lava
def test_input_of_another_file(tmp_path: Path) -> None:
    network, inputs = small(), spikes(1, 9)
    script = written(network, tmp_path / "s.py", {})
    np.savez(tmp_path / "in.npz", **{"in": inputs["in"][0]})
    expected = ReferenceRunner().run(network, inputs, 9).outputs["hidden"][0]
    np.testing.assert_array_equal(ran(LAVA, script, "--input", tmp_path / "in.npz")["hidden"], expected)


def test_names_of_strangers_stay_names(tmp_path: Path) -> None:
    """A name of a file becomes no statement of a script."""
    evil = '"""; raise SystemExit(7); """\\'
    populations = {
        evil: Population(evil, (2,), INPUT),
        "class": Population("class", (2,), "lif", {"du": 4095, "dv": 0, "vth": 1}),
    }
    joined = Projection("1 + np", evil, "class", Dense(np.full((2, 2), 4, np.int8)))
    made = plain_script(Network(evil, populations, (joined,), ("class",)), "s.py", {})
    compiled = compile(made.text, "s.py", "exec")
    assert "SystemExit" not in compiled.co_names and made.text.startswith('"""')
    assert repr(evil) in made.text and "p_class = LIF(" in made.text


def test_what_lava_has_not_is_refused(files: Files, tmp_path: Path, cli: Cli) -> None:
    refused(UserError, "ND4106 hidden: is no process of Lava's", plain_script, small("li", du=1, dv=1), "s.py", {})
    kernel = Conv(np.ones((1, 1, 1, 1), np.int8) * 2, (2, 2, 1))
    image = Population("image", (2, 2, 1), INPUT)
    seen = Population("seen", kernel.output_shape, "lif", {"du": 4095, "dv": 0, "vth": 3})
    for more in ({"weight_exp": -1}, {"weight_exp": 1, "graded": True}, {"weight_exp": 30}):
        look = Projection("look", "image", "seen", kernel, **more)
        network = Network("eye", {"image": image, "seen": seen}, (look,), ("seen",))
        refused(UserError, "ND4106 look: has weight_exp", plain_script, network, "s.py", {})
    call = ["export", str(files.graded_nd), "--lava", str(tmp_path / "s.py")]
    cli.refuses(call, "ND4106", 2, "Lava has no fixed-point model of it", tmp_path)


def test_calls_that_are_refused(files: Files, tmp_path: Path, cli: Cli, llama_bundle: Path) -> None:
    call = ["export", str(copied(files.plain_nd, tmp_path))]
    for more, code in (
        ([], "ND1100"), (["--lava", "s.py", "--out", "f.nir"], "ND1100"), (["--lava", "s.py", "--format", "lava"], "ND1100"),
        (["--lava", str(tmp_path / "s.nir")], "ND5012"), (["--lava", str(tmp_path / "s.py"), "--dt", "1"], "ND3261"),
    ):  # fmt: skip
        cli.refuses([*call, *more], code, 2, "", tmp_path)
    cli.refuses(
        ["export", str(llama_bundle), "--lava", str(tmp_path / "s.py")], "ND3250", 2, "language model", tmp_path
    )
    (tmp_path / "s.npz").write_text("mine")
    cli.refuses([*call, "--lava", str(tmp_path / "s.py")], "ND5004", 2, "s.npz: exists", tmp_path)
    (tmp_path / "s.npz").unlink()
    pipeline.export(files.plain_nd, tmp_path / "s.py", format="lava")
    (tmp_path / "s.net").write_text("old")
    pipeline.export(files.plain_nd, tmp_path / "s.py", format="lava")  # replaces its own files
    assert not (tmp_path / "s.net").exists()
