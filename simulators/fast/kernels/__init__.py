"""Compiled inner loops of `simulators.fast`: integers only, one file for each kind of work.

| file | work |
|---|---|
| `events` | payloads of a block of steps to lists of events; counts of events |
| `dense`, `sparse`, `conv` | events through synapses of one kind into sums |
| `targets`, `bits` | the targets of an axon, packed or not, and the instructions that decode them |
| `finish` | sums to what is pending: shift, wrap, count |
| `products` | digits, patches and their inverse around an exact matrix product |
| `leaky`, `graded`, `resonators` | neurons |
| `registers`, `feeds` | neurons without state that multiply, and how payloads reach them |
| `lane` | payloads to digits, and sums to graded outputs, of one population after one `Dense` |

Every loop adds exact integers, so the order of additions never matters. A *frame* is one step of one sample; frames
are in the order (sample, step). `pending` is always (samples, steps + depth, rows) int32: position t is what arrives
in step t of the block, so the payload of step t with delay k adds to position t + 1 + k.
"""
