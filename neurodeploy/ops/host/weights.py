"""Tensors of a store on a device, kept for the next call where that is wanted."""

from __future__ import annotations

import torch
from torch import Tensor

from neurodeploy.ir.graph import WeightStore
from neurodeploy.machine.memory import give_back

#: An embedding table up to this size is kept whole; of a larger one only the rows that were used.
WHOLE_TABLE = 16 << 20
#: Bytes of weights after whose reading memory is tidied.
TIDY_AFTER = 64 << 20
#: Rows of a larger table that are kept.
ROWS_KEPT = 1 << 16


class WeightCache:
    """float32 tensors by name. With `keep` False every call reads the store again and nothing stays in memory."""

    def __init__(self, store: WeightStore, device: str = "cpu", keep: bool = True) -> None:
        self.store = store
        self.device = device
        self.keep = keep
        self._tensors: dict[str, Tensor] = {}
        self._rows: dict[str, dict[int, Tensor]] = {}
        self._read = 0

    def get(self, name: str) -> Tensor:
        """A whole tensor."""
        found = self._tensors.get(name)
        if found is None:
            found = torch.from_numpy(self.store.get(name)).to(self.device)
            if self.keep:
                self._tensors[name] = found
                self._tidy(found.nbytes)
        return found

    def _tidy(self, read: int) -> None:
        """Now and then return what reading leaves behind: mapped pages of the file, holes in the heap."""
        self._read += read
        if self._read > TIDY_AFTER:
            self._read = 0
            self.store.release()
            give_back()

    def rows(self, name: str, index: Tensor) -> Tensor:
        """Rows of a table, one per entry of `index`. A large table is never read whole for this."""
        if name not in self._tensors:
            shape = self.store.shape(name)
            if not self.keep or 4 * shape[0] * shape[1] > WHOLE_TABLE:
                return self._gather(name, index)
        return self.get(name)[index]

    def _gather(self, name: str, index: Tensor) -> Tensor:
        known = self._rows.setdefault(name, {}) if self.keep else {}
        if len(known) > ROWS_KEPT:
            known.clear()
        wanted: list[int] = index.tolist()
        for row in set(wanted):
            if row not in known:
                known[row] = torch.from_numpy(self.store.get(name, row, row + 1)[0]).to(self.device)
        return torch.stack([known[row] for row in wanted])
