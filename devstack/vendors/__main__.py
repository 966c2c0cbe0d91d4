"""``python -m devstack.vendors``: serve the stand-ins on this machine until a signal ends it."""

import argparse
import socket

import uvicorn
import uvloop

from devstack.vendors.app import OpenProtocol, make_app

HOST = "127.0.0.1"


def main() -> None:
    """Serve, and print one line once calls are answered."""
    parser = argparse.ArgumentParser(prog="devstack.vendors", description="Stand-ins for the vendors.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one, which the ready line names")
    parser.add_argument("--default-delay-ms", type=int, default=0, help="how long every answer takes")
    options = parser.parse_args()
    uvloop.run(_serve(options.port, options.default_delay_ms))


async def _serve(port: int, default_delay_ms: int) -> None:
    # asyncio only switches Nagle's delay off (40 ms a request) on a socket that names its protocol.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    listener.listen(1024)
    config = uvicorn.Config(
        make_app(default_delay_ms),
        http=OpenProtocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="critical",
        timeout_graceful_shutdown=1,
        # As the vendors' servers do: longer than a client keeps a connection that it does not use.
        timeout_keep_alive=75,
    )
    # The socket listens already: who reads this line may send requests.
    print(f"vendors ready on http://{HOST}:{listener.getsockname()[1]}", flush=True)
    await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    main()
