"""Two paths change places in one step, where the system can do that: nobody ever finds nothing of that name.

Linux has renameat2 with RENAME_EXCHANGE (rename(2), since 3.15; not every file system has it), macOS renamex_np with
RENAME_SWAP (rename(2) there, since 10.12).
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

#: linux/fs.h, linux/fcntl.h; sys/stdio.h of macOS.
RENAME_EXCHANGE, AT_FDCWD = 2, -100
RENAME_SWAP = 2
#: What a system says that does not have it: the kernel, the file system, a filter of system calls.
UNKNOWN = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM}


def exchange(one: Path, other: Path) -> bool:
    """Swap what two paths of one file system name. False where this system cannot; `OSError` where it refuses."""
    call = _call()
    if call is None:
        return False
    if call(os.fsencode(one), os.fsencode(other)) == 0:
        return True
    number = ctypes.get_errno()
    if number in UNKNOWN:
        return False
    raise OSError(number, os.strerror(number), str(one), None, str(other))


def _call() -> Callable[[bytes, bytes], int] | None:
    """The system's function of two paths; None where the C library has none."""
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform.startswith("linux"):
            linux = library.renameat2
            linux.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
            return lambda one, other: int(linux(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE))
        if sys.platform == "darwin":
            mac = library.renamex_np
            mac.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_uint)
            return lambda one, other: int(mac(one, other, RENAME_SWAP))
    except (AttributeError, OSError, TypeError):
        pass
    return None
