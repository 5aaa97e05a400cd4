"""Record the fixtures of `tests/interchange` again: an environment for each framework, then its script.

    python scripts/interchange/record.py [--only NAME] [--envs FOLDER]

The four frameworks cannot share one environment (sinabs wants nir <= 1.0.4, SpikingJelly nir >= 1.0.7). torch goes in
first, pinned, so that no framework brings another. lava-dl has a script and an environment of its own. Each environment also
has what `neurodeploy` needs to convert a small spiking network, which it takes from this checkout.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

TORCH = "torch==2.13.0"
#: framework -> what is installed on top of torch.
FRAMEWORKS = {
    "snntorch": ("snntorch==1.0.0", "nir==1.0.8", "nirtorch==2.6", "scikit-learn==1.9.1"),
    "norse": ("norse==1.1.0", "nir==1.0.8", "nirtorch==2.6"),
    "spikingjelly": ("spikingjelly[nir]==2.0.0", "nir==1.0.8", "nirtorch==2.6"),
    "sinabs": ("sinabs==3.1.3", "nir==1.0.4", "nirtorch==2.0.2"),
}
#: What SLAYER's blocks need, and lava-dl, which goes in alone: its own list names Python 3.10 and an older torch.
SLAYER = ("h5py==3.16.0", "matplotlib==3.11.2", "scipy==1.17.1", "pillow==13.0.0")
ALONE = ("lava-dl==0.6.0", "lava-nc==0.10.0")
HERE = Path(__file__).resolve().parent
FIXTURES = HERE.parents[1] / "tests" / "interchange" / "fixtures"


def environment(folder: Path, packages: tuple[str, ...], alone: tuple[str, ...] = ()) -> Path:
    """The interpreter of an environment that holds `packages`, and `alone` without their needs; made if it is not there."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    install = [str(python), "-m", "pip", "install", "--quiet"]
    subprocess.run([*install, TORCH], check=True)
    subprocess.run([*install, TORCH, *packages], check=True)
    if alone:
        subprocess.run([*install, "--no-deps", "--ignore-requires-python", *alone], check=True)
    return python


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=sorted([*FRAMEWORKS, "slayer"]), help="one framework instead of all")
    parser.add_argument(
        "--envs", type=Path, default=HERE.parents[1] / ".venv-interchange", help="where the environments are"
    )
    parser.add_argument("--out", type=Path, default=FIXTURES)
    arguments = parser.parse_args()
    for name, packages in FRAMEWORKS.items():
        if arguments.only in (None, name):
            python = environment(arguments.envs / f"env_{name}", packages)
            script = [str(python), "-W", "ignore", str(HERE / f"from_{name}.py"), "--out", str(arguments.out)]
            subprocess.run(script, check=True)
            if name == "snntorch":  # a trained network of it, which `tests/interchange/test_frameworks.py` reads
                trained = [str(python), "-W", "ignore", str(HERE / "digits_snntorch.py")]
                subprocess.run([*trained, "--out", str(arguments.out.parent / "digits")], check=True)
    if arguments.only in (None, "slayer"):
        python = environment(arguments.envs / "env_slayer", SLAYER, ALONE)
        subprocess.run(
            [str(python), "-W", "ignore", str(HERE / "from_slayer.py"), "--out", str(arguments.out)], check=True
        )


if __name__ == "__main__":
    main()
