"""What the demo's two servers share with the program that starts them: a port to ask for, and the one they got."""

import argparse


def port_argument(description: str) -> int:
    """`--port N` of the command line; 0, the default, lets the system choose a free one."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, default=0, help="0 (default): a free one")
    port: int = parser.parse_args().port
    return port


def announce(port: int) -> None:
    """Say on standard output, in one line, where the server listens; from now on it answers."""
    print(f"http://127.0.0.1:{port}", flush=True)
