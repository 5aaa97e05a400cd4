"""Runs inside the interpreter that has Lava: numpy, scipy and Lava, nothing else of ours but the neurons' arithmetic.

Started by `simulators.lava.subprocess_run` as ``python -m worker FOLDER`` in a process group of its own. FOLDER holds
`job.json` (which Lava processes, how they are linked, what is recorded) and `arrays.npz`; the worker adds one
`run_N.npz` a Lava run, or `failure_*.json` with the name of the process in which an exception arose. Only JSON and
plain numpy arrays cross the border, never a pickle.
"""
