"""One line for a call that must be refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from neurodeploy.errors import InternalError, NeurodeployError

Error = TypeVar("Error", bound=NeurodeployError)


def refused(kind: type[Error], says: str, call: Callable[..., Any], /, *arguments: Any, **options: Any) -> Error:
    """The error of a call, of that class: its code, then a pattern that its text matches; a user's says what to do."""
    with pytest.raises(kind) as caught:
        call(*arguments, **options)
    error = caught.value
    assert re.search(says, str(error)), f"{error} is not {says}"
    assert error.code == says[:6], error
    assert error.fix or isinstance(error, InternalError), error
    return error
