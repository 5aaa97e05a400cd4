"""What messages need of a mapping, once for the mapper and the account.

words.py   how many messages carry one value
streams.py who sends to whom, how often, and how many synapses each message drives
nets.py    groups of axons with the same source and destinations
loads.py   what each shard does
border.py  what crosses between host and chips
tally.py   what passes meshes, ports and the grid, by population
routes.py  X-Y routes: the places of cores and chips, hops between them
links.py   the load of every link of the meshes and of the grid of chips
"""
