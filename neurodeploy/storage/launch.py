"""Runs a module of ours in this process under limits. Started by `confined`, never imported.

    python launch.py MODULE SECONDS BYTES ARGUMENT..

calls ``MODULE.main(ARGUMENTS)`` with at most SECONDS of processor time and BYTES of address space.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    # This folder's modules must not be found in the place of others; -I would hide packages installed for the user alone.
    _here = Path(__file__).absolute()
    sys.path[:] = [*(entry for entry in sys.path if entry != str(_here.parent)), str(_here.parents[2])]
    from importlib import import_module

    from neurodeploy.storage.limits import confine

    _module, _seconds, _memory, *_arguments = sys.argv[1:]
    confine(int(_seconds), int(_memory))
    import_module(_module).main(_arguments)
