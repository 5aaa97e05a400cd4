"""What of a plain Lava script is the same for every network; `script` fills it in."""

HEAD = '''"""{name} on Lava, written by neurodeploy {version}. It needs lava-nc 0.10.0 with numpy and scipy.

    python {script} --input F.npz            an array (steps, neurons) for each of: {inputs}
    python {script} --input F.npz --board    on Loihi 2, with Intel's closed lava-loihi

Weights, parameters{given} lie in {data}. What the outputs send is written to --out, an array (steps, neurons) each.
Without --board this is Lava's fixed-point simulation. With it nothing here was ever tried: the names of adapters and
profiler are those of Lava's tutorials. A board is named by PARTITION or BOARD (SLURM), or by NXSDKHOST, and its outputs
come some steps later than in the simulation.
"""

import argparse
import importlib
import importlib.util
import os
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

HERE = Path(__file__).resolve().parent
# Lava 0.10 was made for Python 3.10 and numpy 1: on newer ones it is repaired while it is imported.
spec = importlib.util.spec_from_file_location("lava_repairs", HERE / {repairs!r})
repairs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(repairs)
repairs.install()

import lava.proc.conv.utils
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2HwCfg, Loihi2SimCfg
from lava.proc.io import sink, source
{imports}

#: Silent steps behind the input on a board, whose outputs come late.
LAG = {lag}


def connect(out, into):
    """Join two ports of as many neurons."""
    (out if out.shape == into.shape else out.reshape(new_shape=into.shape)).connect(into)


def adapted(port, name, shape, bits, board):
    """On a board what passes between host and chip goes through an adapter of lava-loihi."""
    if not board:
        return port
    adapter = getattr(importlib.import_module({adapters!r}), name)(shape=shape, num_message_bits=bits)
    connect(port, adapter.inp)
    return adapter.out


def one_each(process):
    """Lava declares one value for all neurons of a process, and takes one for each just as well."""
    for variable in process.vars:
        if isinstance(variable.init, np.ndarray) and variable.shape == (1,) and variable.init.size > 1:
            variable.shape = variable.init.shape


'''

TAIL = '''

def configuration(board):
    """Lava's simulation in integers, or the board."""
    lava.proc.conv.utils.TORCH_IS_AVAILABLE = False  # its float32 sums are inexact from 2**24 on
    if not board:
        return Loihi2SimCfg(select_tag="fixed_pt")
    from lava.utils import loihi

    repairs.whole_lines()
    if os.environ.get("NXSDKHOST"):
        loihi.use_ethernet_host(os.environ["NXSDKHOST"])
    else:
        loihi.use_slurm_host(partition=os.environ.get("PARTITION"), board=os.environ.get("BOARD"))
    return Loihi2HwCfg(
        exception_proc_model_map={{
            source.RingBuffer: source.PySendModelFixed,
            sink.RingBuffer: sink.PyReceiveModelFixed,
        }}
    )


def profiled(config, steps):
    """Time and energy of a board, by Lava's profiler."""
    from lava.utils.profiler import Profiler

    profiler = Profiler.init(config)
    profiler.execution_time_probe(num_steps=steps)
    profiler.energy_probe(num_steps=steps)
    return profiler


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, help=".npz with an array (steps, neurons) for each input")
    parser.add_argument("--out", type=Path, default=HERE / {out!r}, help=".npz to write")
    parser.add_argument("--board", action="store_true", help="run on Loihi 2")
    asked = parser.parse_args()
    with np.load(HERE / {data!r}) as file:
        data = dict(file)
    inputs = {{name: data[f"input.{{name}}"] for name in INPUTS if f"input.{{name}}" in data}}
    if asked.input:
        with np.load(asked.input) as file:
            inputs = {{name: file[name] for name in INPUTS}}
    if len(inputs) < len(INPUTS):
        parser.error("give --input F.npz with an array for each of: " + ", ".join(INPUTS))
    for name, size in INPUTS.items():
        inputs[name] = np.asarray(inputs[name], np.int32)
        if inputs[name].ndim != 2 or inputs[name].shape[1] != size:
            parser.error(f"{{name}} has the shape {{inputs[name].shape}}, (steps, {{size}}) is needed")
    steps = max([len(values) for values in inputs.values()], default=1) + (LAG if asked.board else 0)
    inputs = {{name: np.pad(values, ((0, steps - len(values)), (0, 0))) for name, values in inputs.items()}}
    any_process, outputs = build(data, inputs, steps, asked.board)
    config = configuration(asked.board)
    profiler = profiled(config, steps) if asked.board else None
    any_process.run(condition=RunSteps(num_steps=steps), run_cfg=config)
    sent = {{name: process.data.get().astype(np.int64).T for name, process in outputs.items()}}
    any_process.stop()
    np.savez(asked.out, **sent)
    for name, values in sent.items():
        print(f"{{name}}: {{np.count_nonzero(values)}} messages of {{values.shape[1]}} neurons in {{len(values)}} steps")
    if profiler:
        print(f"{{np.sum(profiler.execution_time)}} s, {{profiler.power}} W on VDD, VDDM and VDDIO")


if __name__ == "__main__":
    main()
'''
