"""Compose the services into one Supabase project on this machine.

Alone, a stack brings its own PostgreSQL with the existing HQ schema; given a cluster and one of its databases,
it brings services only, so that a test can have its own project on a cloned database in a second.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx
import psycopg

from devstack import postgrest
from devstack.baseline import Variant, apply_baseline
from devstack.controls import GatewayControl, RealtimeControl
from devstack.cron import Ticker, install_stand_in
from devstack.keys import Keys
from devstack.ports import Ports
from devstack.postgres import SUPERUSER, PortTakenError, PostgresCluster
from devstack.processes import HOST, Processes, ServiceError, answers, is_port_free
from devstack.ways import HOSTED, RealtimeWays

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

DEFAULT_PORT = 54321
OWNER_EMAIL = "presidente@emocare.test"
OWNER_PASSWORD = "emocare-demo"

_PROJECT = Path(__file__).parents[1]
_log = logging.getLogger("devstack")


@dataclass(frozen=True)
class Tuning:
    """What tests make shorter than it is in the hosted service, and which switches of a project they turn."""

    token_seconds: int = 3600
    sign_up: bool = False
    realtime: RealtimeWays = HOSTED
    jwt_audience: str = ""  # the one whose tokens PostgREST takes; hosted projects name none


class Stack:
    """A running project."""

    def __init__(
        self,
        cluster: PostgresCluster,
        database: str,
        data_dir: Path,
        *,
        ports: Ports,
        tuning: Tuning,
        dist: Path | None,
    ) -> None:
        self.cluster = cluster
        self.database = database
        self.data_dir = data_dir
        self.dist = dist
        self.url = f"http://{HOST}:{ports.gateway}"
        self.gateway_port = ports.gateway
        self.functions_port = ports.functions
        self.realtime = RealtimeControl(ports.realtime)
        self.gateway = GatewayControl(self.url)
        self.vendors_url: str | None = None
        self._keys = Keys.open(data_dir)
        self._ports = ports
        self._tuning = tuning
        self._resources = contextlib.ExitStack()
        self._processes = Processes(data_dir / "logs")
        self._resources.callback(self._processes.close)

    @classmethod
    def start(  # noqa: PLR0913 - every option is named and has a default
        cls,
        *,
        variant: Variant = "head",
        data_dir: Path | None = None,
        port: int | None = DEFAULT_PORT,
        database_port: int | None = None,
        functions_port: int | None = None,
        demo: bool = True,
        cluster: PostgresCluster | None = None,
        database: str = "postgres",
        tuning: Tuning | None = None,
        dist: Path | None = None,
        vendors: bool = False,
        vendors_port: int | None = None,
    ) -> Self:
        """Start a project and wait until all of it answers.

        Without `data_dir` nothing outlives the stack. With `cluster`, its `database` is used as it is.
        A taken port is replaced by the next free one; None means any. Nothing listens on `functions_port` yet:
        the server of the functions will. `dist` is a built frontend, served at the same address.
        Raises: ServiceError, PostgresError.
        """
        if dist is not None and not (dist := dist.resolve()).joinpath("index.html").is_file():
            raise ServiceError(f"{dist} holds no index.html: build the frontend there first")
        with contextlib.ExitStack() as resources:
            if (folder := data_dir) is None:
                folder = Path(tempfile.mkdtemp(prefix="devstack-"))
                resources.callback(shutil.rmtree, folder, ignore_errors=True)
            folder.mkdir(parents=True, exist_ok=True)
            if cluster is None:
                cluster = _start_cluster(folder, database_port, database, ephemeral=data_dir is None)
                resources.callback(cluster.stop)
                _prepare_database(cluster, database, folder, variant, demo=demo)
                if not cluster.has_pg_cron:
                    ticker = Ticker(cluster.dsn(database, SUPERUSER))
                    ticker.start()
                    resources.callback(ticker.stop)
            ports = Ports.choose(gateway=port, functions=functions_port, vendors=vendors_port)
            stack = cls(cluster, database, folder, ports=ports, tuning=tuning or Tuning(), dist=dist)
            resources.push(stack._resources.pop_all())
            stack._start_services(vendors=vendors)
            stack._resources = resources.pop_all()
        return stack

    @property
    def anon_key(self) -> str:
        """The legacy key of the page."""
        return self._keys.anon_key

    @property
    def service_role_key(self) -> str:
        """The legacy key of the service."""
        return self._keys.service_role_key

    @property
    def publishable_key(self) -> str:
        """The newer key of the page."""
        return self._keys.publishable_key

    @property
    def secret_key(self) -> str:
        """The newer key of the service."""
        return self._keys.secret_key

    @property
    def jwt_secret(self) -> str:
        """What the legacy keys are signed with."""
        return self._keys.jwt_secret

    @property
    def database_url(self) -> str:
        """The database, as role postgres: what an operator of a hosted project has."""
        return self.cluster.dsn(self.database, "postgres")

    @property
    def admin_url(self) -> str:
        """The database, as the superuser that a hosted project keeps to itself."""
        return self.cluster.dsn(self.database, SUPERUSER)

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of the services, by name; PostgreSQL's is the cluster's."""
        return self._processes.pids

    def stop(self) -> None:
        """Stop everything that was started; the data folder stays, if it was given."""
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def sign_in(self, email: str = OWNER_EMAIL, password: str = OWNER_PASSWORD) -> str:
        """Sign in and return the access token."""
        response = httpx.post(
            f"{self.url}/auth/v1/token?grant_type=password",
            json={"email": email, "password": password},
            headers={"apikey": self.anon_key},
        )
        return str(response.raise_for_status().json()["access_token"])

    def mint_token(
        self,
        role: str = "authenticated",
        sub: str | None = None,
        *,
        expires_in: float = 3600,
        legacy: bool = False,
        **claims: Any,  # noqa: ANN401 - whatever a test wants to claim
    ) -> str:
        """Sign a token that Auth would not: of any role, without subject, or expired; `legacy` is HS256."""
        now = int(time.time())
        claims |= {"role": role, "aud": "authenticated", "iat": now, "exp": int(now + expires_in)}
        if sub is not None:
            claims["sub"] = sub
        return self._keys.sign_legacy(claims) if legacy else self._keys.sign(claims)

    def sign(self, payload: bytes, *, algorithm: str | None = "ES256", **header: Any) -> str:  # noqa: ANN401
        """Sign any bytes under any header with the project's keys, for tests of what is refused nevertheless."""
        return self._keys.sign_bytes(payload, algorithm=algorithm, **header)

    def start_postgrest(self) -> None:
        """Start PostgREST after `stop_postgrest`, and wait until it answers."""
        self._launch_postgrest()
        self._await_postgrest()

    def stop_postgrest(self) -> None:
        """Stop PostgREST; the gateway then answers 503 for it."""
        self._processes.stop("postgrest")

    def start_auth(self) -> None:
        """Start Auth after `stop_auth`, and wait until it answers."""
        self._launch_auth()
        self._await_auth()

    def stop_auth(self) -> None:
        """Stop Auth; the gateway then answers 503 for it."""
        self._processes.stop("auth")

    def start_realtime(self) -> None:
        """Start Realtime after `kill_realtime`, and wait until it answers."""
        self._launch_realtime()
        self._await_realtime()

    def restart_realtime(self) -> None:
        """Stop Realtime in good order, which closes its sockets with 1001, and start it again."""
        self._processes.stop("realtime")
        self.start_realtime()

    def kill_realtime(self) -> None:
        """End Realtime as a crash would."""
        self._processes.kill("realtime")

    def _start_services(self, *, vendors: bool) -> None:
        self._launch_auth()
        self._launch_realtime()
        self._launch_postgrest()
        self._launch_gateway()
        if vendors:
            self._launch_vendors()
        self._processes.wait_until("gateway", lambda: not is_port_free(self._ports.gateway))
        self._await_postgrest()
        self._await_auth()
        self._await_realtime()
        if vendors:
            self._processes.wait_until("vendors", answers(self._ports.vendors, "/_health"))

    def _await_auth(self) -> None:
        self._processes.wait_until("auth", answers(self._ports.auth, "/health"))

    def _launch_auth(self) -> None:
        environment = {
            "DEVSTACK_AUTH_DATABASE_URL": self.cluster.dsn(self.database, "supabase_auth_admin"),
            "DEVSTACK_URL": self.url,
            "AUTH_TOKEN_SECONDS": str(self._tuning.token_seconds),
            "AUTH_SIGN_UP": "1" if self._tuning.sign_up else "0",
        }
        self._launch_module("auth", ["--port", str(self._ports.auth)], environment)

    def _launch_realtime(self) -> None:
        environment = {
            "DEVSTACK_DATABASE_URL": self.admin_url,
            "REALTIME_WAYS": json.dumps(asdict(self._tuning.realtime)),
        }
        arguments = ["--port", str(self._ports.realtime), "--socket-port", str(self._ports.realtime_sockets)]
        self._launch_module("realtime", arguments, environment)

    def _await_realtime(self) -> None:
        self._processes.wait_until("realtime", answers(self._ports.realtime, "/health"))

    def _launch_postgrest(self) -> None:
        environment = postgrest.build_environment(
            database_url=self.cluster.dsn(self.database, "authenticator"),
            keys=self._keys,
            port=self._ports.rest,
            admin_port=self._ports.rest_admin,
            audience=self._tuning.jwt_audience,
        )
        self._processes.start("postgrest", [postgrest.find_binary()], environment)

    def _await_postgrest(self) -> None:
        self._processes.wait_until("postgrest", answers(self._ports.rest_admin, "/ready"))

    def _launch_gateway(self) -> None:
        upstreams = {
            "rest": self._ports.rest,
            "auth": self._ports.auth,
            "realtime": self._ports.realtime,
            "socket": self._ports.realtime_sockets,
            "functions": self._ports.functions,
        }
        config = {
            "port": self._ports.gateway,
            "upstreams": {name: f"{HOST}:{port}" for name, port in upstreams.items()},
            "keys": self._keys.gateway_keys,
            "dist": str(self.dist) if self.dist else None,
            "control": self.gateway.word,
        }
        node = shutil.which("node")
        if node is None:
            raise ServiceError("no `node` found: the gateway needs Node.js 20 or newer")
        script = Path(__file__).with_name("gateway.mjs")
        self._processes.start("gateway", [node, script], {"GATEWAY": json.dumps(config)})

    def _launch_vendors(self) -> None:
        self._launch_module("vendors", ["--port", str(self._ports.vendors)], {})
        self.vendors_url = f"http://{HOST}:{self._ports.vendors}"

    def _launch_module(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        # Variables such as PGHOST of the person's own PostgreSQL would steer our connections.
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        own = {"DEVSTACK_DATA": str(self.data_dir), "PYTHONPATH": str(_PROJECT)}
        module = f"devstack.{name}.__main__" if name == "vendors" else f"devstack.{name}"
        self._processes.start_module(name, module, arguments, {**inherited, **own, **environment})


def _start_cluster(folder: Path, port: int | None, database: str, *, ephemeral: bool) -> PostgresCluster:
    data = folder / "postgres"
    try:
        return PostgresCluster.start(data, port=port, cron_database=database, ephemeral=ephemeral)
    except PortTakenError as error:
        _log.warning("%s: using another one for PostgreSQL", error)
        return PostgresCluster.start(data, cron_database=database, ephemeral=ephemeral)


def _prepare_database(cluster: PostgresCluster, database: str, folder: Path, variant: Variant, *, demo: bool) -> None:
    """Apply the existing schema to a fresh database; leave one from an earlier start as it is."""
    note = folder / "schema.json"
    with psycopg.connect(cluster.dsn(database, SUPERUSER)) as connection:
        is_fresh = connection.execute("select to_regnamespace('hq') is null").fetchone() == (True,)
    if is_fresh:
        note.write_text(json.dumps({"variant": variant}))
        if not cluster.has_pg_cron:
            install_stand_in(cluster.dsn(database, SUPERUSER))
        apply_baseline(cluster.dsn(database, SUPERUSER), variant, demo=demo)
    elif (found := json.loads(note.read_text())["variant"]) != variant:
        raise ServiceError(f"{folder} holds the schema `{found}`, not `{variant}`: choose another folder")
