"""daemun with its defaults, started as a user starts it."""

import collections.abc
import contextlib
import json
import os
import sys

import daemun
from bench import processes
from bench.proxies import place as place_

NAME = "daemun"
BUNDLED = "daemun, bundled nginx"


def version(_: place_.Place) -> str:
    return daemun.__version__


def run(place: place_.Place) -> contextlib.AbstractContextManager[place_.Proxy]:
    return _run(NAME, place)


def run_bundled(place: place_.Place) -> contextlib.AbstractContextManager[place_.Proxy]:
    return _run(BUNDLED, place)


@contextlib.contextmanager
def _run(name: str, place: place_.Place) -> collections.abc.Iterator[place_.Proxy]:
    """Plain HTTP is served, too, and large uploads are let through; all else is as it comes."""
    site = {
        "tls": {"certificate": str(place.ecdsa.certificate), "key": str(place.ecdsa.key)},
        "http": "serve",
        "routes": {
            "/": f"http://127.0.0.1:{place.app}",
            "/echo": f"http://127.0.0.1:{place.echo}",
            "/sink": f"http://127.0.0.1:{place.sink}",
        },
    }
    config = place.folder / "daemun.yaml"
    # JSON is YAML.
    config.write_text(
        json.dumps(
            {
                "listen": {"http": f"127.0.0.1:{place.http}", "https": f"127.0.0.1:{place.https}"},
                "docker": "off",
                "sites": {place.host: site},
            }
        )
    )
    state = place.folder / "state"
    command = [sys.executable, "-m", "daemun", "up", "-c", str(config), "--state", str(state)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DAEMUN_")}
    environment["DAEMUN_NGINX"] = place.nginx

    written = state / "run" / "nginx.pid"

    def ready() -> bool:
        return processes.accepts(place.https) and bool(written.read_text())

    with processes.running(command, place.folder / "said.log", ready, environment=environment) as pid:
        roots = (pid, int(written.read_text()))
        yield place_.Proxy(name=name, http=place.http, https=place.https, roots=roots, host=place.host)
