"""Two calls of every verb, as its ``--help`` ends: what most people begin with, and what shows what else there is."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, str]] = {
    "convert": (
        "convert smollm2-135m --out smollm2.nd",
        "convert digits.nir --out digits.nd --source snntorch --dt 1e-3",
    ),
    "fit": ("fit gemma3-1b --out fit.html", "fit llama4-scout --system hala-point --bits 4 --json"),
    "explore": (
        "explore demo --over preset=quick,a8 --over system=oheo-gulch,kapoho-point",
        "explore net.onnx --calibration x.npy --input x.npy --over payload_bits=8,16 --over system --jobs 2 --json",
    ),
    "map": (
        "map smollm2.nd --system alia-point",
        "map digits.nd --system oheo-gulch --rates spikes.npy --objective energy",
    ),
    "run": (
        "run smollm2.nd --text prose.txt --max-tokens 256",
        "run digits.nd --input spikes.npy --probe hidden.v --out run.npz",
    ),
    "generate": (
        'generate smollm2.nd --prompt "The capital of France is" --tokens 20',
        'generate smollm2.nd --prompt "Once" --temperature 0.7 --seed 1 --checkpoint said.state',
    ),
    "eval": (
        "eval smollm2.nd --text prose.txt --max-tokens 4096",
        "eval digits.nd --input spikes.npy --labels labels.npy",
    ),
    "energy": (
        "energy smollm2.nd --tokens 32 --what-if gate,crossings=2",
        "energy digits.nd --input spikes.npy --host cpu-generic --json",
    ),
    "calibrate": (
        "calibrate measured.csv --out board.json",
        "calibrate board-run.json --out board.json --host cpu-generic --json",
    ),
    "explain": ("explain smollm2.nd", "explain smollm2.nd --json"),
    "report": (
        "report smollm2.nd --out smollm2.html --text prose.txt",
        "report digits.nd --out digits.html --input spikes.npy --labels labels.npy",
    ),
    "diff": (
        "diff smollm2.nd smollm2-block.nd --out diff.html",
        "diff digits.nd digits-4bit.nd --input spikes.npy --json",
    ),
    "export": ("export digits.nd --out digits.net", "export digits.nd --lava digits.py --input spikes.npy"),
    "verify": ("verify smollm2.nd", "verify smollm2.nd --json"),
    "doctor": ("doctor", "doctor --json"),
    "demo": ("demo", "demo --out out --system oheo-gulch --seed 1"),
}
