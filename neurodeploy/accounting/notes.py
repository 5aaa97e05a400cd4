"""The sentences that stand beside every energy figure: what was assumed for it, and what it leaves out.

Each stands behind the facts that it needs, all of them; a fact after "no " must not hold. Facts are names that are true, or
values that a sentence holds in braces. A line that is indented goes on with the one before.
"""

from __future__ import annotations

from collections.abc import Mapping

NOT_MODELLED = """
no overlapping | The time of a hop: routes take below 0.1 us a step and are inside the measured step floor.
always | Passing through the mesh of a chip on the way to another one, and congestion beyond the busiest link.
no streamed | Contention of the host's memory with its link, and host work that overlaps the chip in generation.
streamed | Encoding of the input and decoding of the output on the host.
always | Loading weights, booting the board, chip reset, also between samples, and learning.
always | Temperature and voltage: no published power states them.
recorded, no step by step | The difference between the steps of links and of ports: theirs are means over the run, a
    lower bound.
no recorded, no outline, no step by step | The difference between tokens or steps: their events were not kept one by one, so
    a time is that of the mean step, a lower bound; with the busiest cores that these counts allow it is at most
    {at_most:.2f} times as long.
outline | The difference between tokens: all are taken to be alike.
always | On-chip x86 processors apart from the board: no figure separates them, they are inside the infrastructure
    power.
"""

NOTES = """
no outline | All figures are modelled from counts and a table of coefficients; nothing was measured on a Loihi chip.
outline | All figures are modelled from shapes, an assumed activity and a table of coefficients; nothing was
    measured.
outline | Activity: {activity:g} of all inputs of a projection are events ({activity_source}).
outline | Every row sends its output; experts are chosen equally often.
chip loihi2 | Intel has published no energy per operation for Loihi 2: its coefficients are derived from published
    runs.
no chip loihi2 | Coefficients are those of {chip.name}: {chip.source}.
always | A band holds nine tenths of 256 draws of the coefficients, and of what a run misses by though they be known
    (docs/validation.md).
no outline | Stored zeros of dense and convolution synapses cost as much as any other weight.
no outline | The synaptic energy was derived from whole-chip differences, so it holds some of what messages, neurons
    and core steps are charged again: the dynamic sum leans high.
no outline, no resting | Every neuron is updated in the steps of its own phase, where its core is active, and pays the idle
    update in all others.
resting | A neuron is updated in the steps in which something reaches it or is left in it, and pays the idle update in
    all others.
overlapping | A core takes messages in while its neurons are updated and send; a sender's messages wait for one another on
    its way out until they are taken in; the step floor hangs on the routers in use.
no outline | Messages are delivered to each core apart (no multicast) and pay at each delivery; their spike pays once.
no outline | The port of a chip to other chips and to the host is taken to be at router (0, 0).
powered system | Static and board power are charged for {all_chips} chips of the system.
no outline, powered used | Static and board power are charged for the {chips} chips in use; other chips that the
    board powers are left out (powered='system' adds them).
outline, no gated | Static and board power are charged for {chips} chips in use, those of experts that idle included: no
    figure of a gated Loihi 2 chip is public.
gated | A chip has static power and idle neurons only in steps in which it has work, and wakes up at once and for
    nothing: a bound, for no figure of a gated Loihi 2 chip is public.
outline | Cores of a unit are placed in order; a mapping places them better, which changes hops and nothing else.
outline | Messages of the host enter each board at its chip 0 and travel along the grid, one copy for each chip.
started | The host waits for the start of each operation on it: of a compiled runtime, at the high end of an eager
    framework.
around | The host is a card: its share of the server around it draws power all the time.
own file | What {system} holds and costs is said by a file of the user's, {own_file}, and has not been looked at here.
always | The power supply loses 10 % (5 to 20 %) of what it delivers: a guess.
border sample | A sample is one exchange with the host, all events in, then outputs back, which waits for the link
    once.
streamed, border none | No exchange with the host: the input is on the chip, the output is not read.
microcoded | Neurons of {microcoded} are microcoded: their updates cost a fixed neuron's times the chip's microcode
    factor.
on_host | {on_host} populations are computed by the host with the same integers: two operations a weight and token,
    each weight read once a call as one byte, at the host's rate for float32.
several chips, no border none, no outline | Messages between host and chips enter and leave at chip 0 and travel
    along the chip grid, one copy for each destination chip; the low end of the band lets every chip have its own
    host port.
several chips, no streamed, border none | Messages travel from the chip of the segment before, one copy for each
    destination chip; the low end of the band has no such traffic.
several chips, chip loihi2, no outline | The barrier over several chips is derived from one of Loihi 1.
recorded | A step lasts as long as the busiest core of that step, which is counted step by step.
reducers, no recorded | Every partial sum is sent to its reducer, zeros included, one step before the neurons fire, by a
    microcoded neuron of its own.
reducers, recorded | Partial sums are sent to their reducer one step before the neurons fire, by microcoded neurons of
    their own, in each step in which an event reaches the core that makes them.
no streamed, border none | The host border is left out: segments feed one another on the chip.
no border none, no border sample, no prefill | Each call of a segment is one exchange with the host, events in and
    outputs back: it waits once for the latency of the link, which was published for a whole sample, and overlaps
    with nothing.
prefill, border calls | The latency of the host link is paid once a prompt for each segment: one exchange, in and
    out.
prefill, no border none | Tokens of the prompt follow one another through all segments, one token a step and
    segment.
prefill, border calls | Filling the pipeline is in the time to the first token and not in the time per token.
delays | Delayed sums wait in the target's core: they take its memory, and no energy of their own.
phases | A tick takes up to {phases} synchronised phases: partial sums and instant projections arrive within it.
"""


def said(notes: str, facts: Mapping[str, object]) -> tuple[str, ...]:
    """The sentences that apply, in their order."""
    found = []
    for line in notes.strip().replace("\n    ", " ").splitlines():
        needed, text = line.split(" | ")
        names = [name for name in needed.split(", ") if name != "always"]
        if all(not facts.get(name[3:]) if name.startswith("no ") else facts.get(name) for name in names):
            found.append(text.format(**facts))
    return tuple(found)
