"""The packaged real models against transformers, which reads the same GGUF files with its own code."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurodeploy.errors import ModelError
from neurodeploy.frontends.families import read_graph
from neurodeploy.frontends.packaged import resolve
from neurodeploy.frontends.tokenizer_choice import read_tokenizer

pytestmark = pytest.mark.real
TEXT = """A chip of this kind has many small cores. Each of them keeps the weights of the synapses that end in it, and
works only when an event arrives: it fetches a row of weights, adds them to the state of its neurons, and sends an event
of its own where a neuron has something to say. Nothing is read from a distant memory, and a neuron that is silent costs
next to nothing. What the cores cannot do well is to look back over everything that was said before, since that grows
with the length of the text; so the attention of a language model stays on the host, and the two exchange messages.
"""


def compare(name, run) -> float:
    transformers = pytest.importorskip("transformers")
    try:
        path = resolve(name)
    except ModelError as error:
        pytest.skip(str(error))
    graph = read_graph(path)
    ids = np.array(read_tokenizer(path, graph.info.vocab_size).encode(TEXT, bos=True))
    ours = run(graph).forward(ids)
    graph.weights.release()
    model = transformers.AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    with torch.no_grad():
        expected = model(torch.from_numpy(ids)[None]).logits[0]
    error = float((ours - expected).abs().max())
    same = float((ours.argmax(1) == expected.argmax(1)).float().mean())
    largest = float(expected.abs().max())
    print(f"{name}: max |logit - transformers| = {error:.2e}, logits up to {largest:.1f}, top-1 equal {same:.4f}")
    return error


# What float32 is good for on these models: against float64, transformers itself is off by up to 7e-5 and 5e-4.
def test_smollm2(run):
    assert compare("smollm2-135m", run) <= 1e-4


def test_gemma3(run):
    assert compare("gemma3-270m", run) <= 5e-4
