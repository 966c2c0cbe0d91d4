"""Which recipients of one address have accepted a message, so that its next try leaves them alone.

Apprise asks this of each service between two tries of its own, which we do not use: ours are hours apart.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

# Of the message that this thread sends.
_ACCEPTED_BY: Final = ContextVar[set[str] | None]("accepted_by", default=None)


@contextmanager
def skip_recipients(accepted_by: set[str]) -> Iterator[None]:
    """Send to none of these recipients in this thread meanwhile, and add each that accepts."""
    token = _ACCEPTED_BY.set(accepted_by)
    try:
        yield
    finally:
        _ACCEPTED_BY.reset(token)


def watch_recipients(service: Any) -> None:  # noqa: ANN401 - the library's
    """Have a service of Apprise ask us who has accepted, and report it to us."""
    service.is_delivered = _is_delivered
    service.mark_delivered = _mark_delivered


def _is_delivered(key: object, per_message: bool = False) -> bool:  # noqa: FBT001, FBT002 - the library's
    return _name(key, per_message) in (_ACCEPTED_BY.get() or ())


def _mark_delivered(key: object, per_message: bool = False) -> None:  # noqa: FBT001, FBT002 - the library's
    accepted_by = _ACCEPTED_BY.get()
    if accepted_by is not None:
        accepted_by.add(_name(key, per_message))


def _name(key: object, per_message: bool) -> str:  # noqa: FBT001
    return f"{per_message} {key!r}"
