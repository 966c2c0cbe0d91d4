"""Where each part of a stack listens."""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Self

from devstack.processes import ServiceError, choose_port, is_port_free

if TYPE_CHECKING:
    from collections.abc import Collection

_log = logging.getLogger("devstack")


@dataclass(frozen=True)
class Ports:
    """One for each part, all different."""

    gateway: int
    rest: int
    rest_admin: int
    auth: int
    realtime: int
    realtime_sockets: int
    functions: int
    vendors: int

    @classmethod
    def choose(cls, *, gateway: int | None, functions: int | None, vendors: int | None) -> Self:
        """Take the given ports, or the next free ones; None is any.

        That of the functions is taken as it is: their server may listen there already.
        """
        chosen: dict[str, int] = {} if functions is None else {"functions": functions}
        for name, wanted in {"gateway": gateway, "vendors": vendors}.items():
            if wanted is not None:
                chosen[name] = settle_port(wanted, taken=chosen.values())
        for field in fields(cls):
            while field.name not in chosen:
                if (port := choose_port()) not in chosen.values():
                    chosen[field.name] = port
        return cls(**chosen)


def settle_port(wanted: int, *, taken: Collection[int] = ()) -> int:
    """Take the wanted port, or the next free one, with a word about it.

    Raises: ServiceError.
    """
    candidates = (port for port in range(wanted, wanted + 100) if port not in taken)
    port = next((port for port in candidates if is_port_free(port)), None)
    if port is None:
        raise ServiceError(f"no free port between {wanted} and {wanted + 99}")
    if port != wanted:
        holder = "this stack" if wanted in taken else "another program"
        _log.warning("port %s is taken by %s: using %s instead", wanted, holder, port)
    return port
