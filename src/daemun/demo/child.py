"""What the demo's two servers share with those who start them: where to listen, and the port they got."""

import argparse
import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ListenAddress:
    """host: an address of this machine."""

    host: str
    port: int


def read_place(description: str) -> ListenAddress:
    """`--host ADDRESS` and `--port N` of the command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--host", default="127.0.0.1", help="127.0.0.1 (default): this machine only")
    parser.add_argument("--port", type=int, default=0, help="0 (default): a free one")
    found = parser.parse_args()
    return ListenAddress(host=found.host, port=found.port)


def announce(place: ListenAddress) -> None:
    """Print to standard output, in one line, where the server listens; from now on it answers."""
    print(f"http://{place.host}:{place.port}", flush=True)
