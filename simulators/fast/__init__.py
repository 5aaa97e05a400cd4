"""The runner `fast`: the bits, states and counts of the reference by compiled events and exact products.

| file | what |
|---|---|
| `runner` | blocks of steps through the parts of a network, and what a run leaves |
| `plan` | which populations run together, and for how many steps at a time |
| `links`, `ports`, `traffic` | what is pending on a projection, what arrives at a port, what a port sends |
| `wiring`, `conv` | synapses in the layout that the kernels read, and the choice between events and a product |
| `products`, `costs` | exact products for any width, and what events cost on this processor |
| `neurons`, `registers` | one population, compiled or by its model's own step |
| `lane` | a `Dense` that delivers at once into graded neurons: one product for all tokens, one pass over the neurons |
| `walk`, `feeds`, `memory` | a network within one step, as a block of a decoder: all populations for one block of tokens |
"""
