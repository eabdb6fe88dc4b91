"""What many routes cost a request: a site with one route beside one with fifty, twenty of them expressions, and a list
of routes with ten conditions."""

import collections.abc
import contextlib
import functools
import json
import os
import pathlib
import sys
import typing

import httpx

from bench import contestants, figures, house, loads, plan, processes, servers, turns, variations
from bench.proxies import place as place_
from daemun.core import layout
from tests.support import clients, ports

_ONE, _MANY, _CONDITIONS = "one route", "50 routes, 20 expressions", "50 routes, 20 expressions, 10 conditions"
_HOSTS = {_ONE: "one.test", _MANY: "many.test", _CONDITIONS: "conditions.test"}
_MOST = 1.15
_EXPRESSIONS = 20
_PREFIXES = 29
KINDS = (loads.HTTPS1, loads.HTTP2)
_ABOUT = f"""\
One gate with daemun's defaults and Debian's newest nginx, and three sites with the same server behind them; what counts
is the CPU time of all of the gate's processes. Requests vary as in the section on traffic, but for the names of hosts.

- `{_ONE}`: `/` alone.
- `{_MANY}`: {_PREFIXES} further prefixes and {_EXPRESSIONS} expressions, none of which is found, so that a request is
  compared with all of them and goes to `/`.
- `{_CONDITIONS}`: the same, and `/` is a list of eleven routes. None of ten conditions holds, by method, header,
  cookie, query, address and share of the visitors, so that a request is compared with all of them and goes to the
  last."""


def measure(planned: plan.Plan) -> figures.Section:
    """Raises: LoadError, StartError when something does not do its work."""
    with contextlib.ExitStack() as stack:
        nginx = contestants.newest_nginx()
        behind = stack.enter_context(servers.running(house.make_folder(planned.folder, "servers"), nginx))
        proxies = stack.enter_context(_gate(house.make_folder(planned.folder, "gate"), behind.app))
        measured = _requests(planned, proxies)
    targets = (figures.Target(most=_MOST, subject=_CONDITIONS, of=_ONE),)
    return figures.Section(
        name="routes",
        title="Routes",
        about=_ABOUT,
        rows=tuple(
            turns.row_of_requests(f"request over {protocol.name}", found, targets)
            for protocol, found in measured.items()
        ),
        versions={},
        notes=(),
        two_modes=tuple(
            one
            for protocol, found in measured.items()
            for one in turns.find_modes(f"request over {protocol.name}", found)
        ),
    )


def _requests(
    planned: plan.Plan, proxies: collections.abc.Sequence[place_.Proxy]
) -> dict[loads.Protocol, dict[variations.Variation, turns.Turns]]:
    measured: dict[loads.Protocol, dict[variations.Variation, turns.Turns]] = {kind: {} for kind in KINDS}
    amount = loads.Amount(seconds=0.1 if planned.quick else 0.45, folder=planned.folder)
    again = tuple(proxy.name for proxy in proxies if not planned.quick)
    for variation in variations.FEW if planned.quick else variations.EVERY[::2]:
        for kind in KINDS:
            load = functools.partial(loads.requests, kind, variation)
            taken = turns.take(load, proxies, amount, again=again)
            measured[kind][variation] = taken
            told = ", ".join(f"{name} {loaded.cpu_us:.1f}" for name, loaded in taken)
            plan.tell(f"request over {kind.name}, {variation}, µs CPU a request: {told}")
    return measured


# --- the gate --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _gate(folder: pathlib.Path, app: int) -> collections.abc.Iterator[tuple[place_.Proxy, ...]]:
    """Its sites as what is loaded. Raises: StartError."""
    paths = layout.Layout(str(folder / "state"))
    http, https = ports.free_port(), ports.free_port()
    config = folder / "daemun.yaml"
    there = f"http://127.0.0.1:{app}"
    routes = {_ONE: {"/": there}, _MANY: _many(there), _CONDITIONS: _many(there) | {"/": _list(there)}}
    config.write_text(  # JSON is YAML
        json.dumps(
            {
                "listen": {"http": f"127.0.0.1:{http}", "https": f"127.0.0.1:{https}"},
                "docker": "off",
                "sites": {_HOSTS[name]: {"routes": found} for name, found in routes.items()},
            }
        )
    )
    visited = clients.GateAddress(http=http, https=https, ca=pathlib.Path(paths.root_certificate))

    def ready() -> bool:
        return processes.accepts(https) and all(_answers(visited, host) for host in _HOSTS.values())

    environment = {name: value for name, value in os.environ.items() if not name.startswith("DAEMUN_")}
    environment["DAEMUN_NGINX"] = contestants.newest_nginx()
    command = [sys.executable, "-m", "daemun", "up", "-c", str(config), "--state", str(folder / "state")]
    with processes.running(command, folder / "said.log", ready, environment=environment) as pid:
        roots = (pid, int(pathlib.Path(paths.nginx_pid).read_text()))
        yield tuple(
            place_.Proxy(name=name, http=http, https=https, roots=roots, host=host) for name, host in _HOSTS.items()
        )


def _many(there: str) -> dict[str, typing.Any]:
    prefixes = {f"/part/{number}/": there for number in range(_PREFIXES)}
    expressions = {f"~ ^/(?:user|item){number}/(?<id>[0-9]+)$": there for number in range(_EXPRESSIONS // 2)}
    expressions |= {rf"~ /v{number}/[a-z]+\.(?:xml|json)$": there for number in range(_EXPRESSIONS // 2)}
    return {"/": there, **prefixes, **expressions}


def _list(there: str) -> list[typing.Any]:
    whens: tuple[dict[str, typing.Any], ...] = (
        {"method": ["POST", "PUT"]},
        {"header": {"Accept": "*json*"}},
        {"header": {"X-Version": ["2", "3"]}},
        {"header": {"User-Agent": "~ (?:bot|spider)$"}},
        {"cookie": {"beta": True}},
        {"cookie": {"tenant": "~ ^[a-z]+-test$"}},
        {"query": {"debug": True}},
        {"query": {"version": "2"}},
        {"address": ["10.0.0.0/8", "192.0.2.0/24"]},
        {"probability": "0.01%"},
    )
    return [*({"when": when, "to": there} for when in whens), there]


def _answers(visited: clients.GateAddress, host: str) -> bool:
    with contextlib.suppress(OSError, httpx.TransportError):
        return clients.get(visited, f"https://{host}/").status_code < 500
    return False
