"""What each key of `access` costs a request: sites of one gate, guarded each in its way, beside an open one."""

import base64
import collections.abc
import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import subprocess
import sys
import typing

import argon2
import httpx

from bench import contestants, figures, house, loads, plan, processes, servers, turns, variations
from bench.proxies import caddy
from bench.proxies import place as place_
from daemun.core import layout
from tests.support import address_databases, clients, login_browser, ports

OPEN = "open"
_CADDY_GUARDED = "Caddy, basic_auth"
_USER, _PASSWORD = "alice", "correct horse"
_BASIC = f"Authorization: Basic {base64.b64encode(f'{_USER}:{_PASSWORD}'.encode()).decode()}"
_LOGIN_HOST = "auth.test"
_COUNTRIES = 20_000
_MORE_THAN_COMES = 1_000_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A site of the gate. most: how many times an open one's CPU time its requests may take, in the median. headers: of
    each request."""

    name: str
    host: str
    most: float
    access: typing.Any = None
    headers: tuple[str, ...] = ()


def _guards(folder: pathlib.Path, hashed: str, token: str) -> tuple[Guard, ...]:
    """folder: where the files are that they name. hashed: the password. token: of a script."""
    database = str(folder / "countries.mmdb")
    return (
        Guard(name=OPEN, host="open.test", most=1.0),
        Guard(
            name="allow, deny",
            host="allow.test",
            most=1.05,
            access={"allow": ["127.0.0.0/8", "2001:db8::/32"], "deny": ["198.51.100.0/24"]},
        ),
        Guard(name="rate_limit", host="rate.test", most=1.05, access={"rate_limit": f"{_MORE_THAN_COMES}/s"}),
        Guard(name="connections", host="some.test", most=1.05, access={"connections": 1000}),
        Guard(
            name="countries",
            host="here.test",
            most=1.1,
            access={"countries": {"database": database, "allow": ["KR", "DE"]}},
        ),
        Guard(
            name="basic_auth",
            host="basic.test",
            most=1.7,
            access={"basic_auth": {"users": {_USER: hashed}}},
            headers=(_BASIC,),
        ),
        Guard(
            name="rate_limit by user",
            host="user.test",
            most=1.8,
            access={
                "basic_auth": {"users": {_USER: hashed}},
                "rate_limit": {"rate": f"{_MORE_THAN_COMES}/s", "by": "user"},
            },
            headers=(_BASIC,),
        ),
        Guard(name="login", host="login.test", most=1.7, access={"login": True}),
        Guard(
            name="token",
            host="token.test",
            most=1.7,
            access={"login": True},
            headers=(f"Authorization: Bearer {token}",),
        ),
    )


KINDS = (loads.HTTPS1, loads.HTTP2)
_ABOUT = f"""\
One gate with daemun's defaults and Debian's newest nginx, and a site for each key of `access`, all with the same server
behind them; what counts is the CPU time of all of the gate's processes, the judge of passwords and sessions among them.
Each request is let in. Requests vary as in the section on traffic, but for the names of hosts.

- `allow, deny`: two networks are let in and one is kept out. `rate_limit`, `connections`: more than ever comes.
- `countries`: a database of {_COUNTRIES:,} networks, of which those of two countries are let in.
- `basic_auth`: an argon2id hash, and its user's name and password with each request. `login`: the session of a user who
  signed in. `token`: one of `daemun tokens`. Each is verified once, and remembered by nginx for a while.
- `rate_limit by user`: beside `basic_auth`; a request is handed to a second location once its user is known.
- Caddy has a certificate of the same type, the same server, and `basic_auth` with the same hash, which it verifies
  once, too.

"the judge" is the process that knows users and sessions: it runs only where a site needs it."""


def measure(planned: plan.Plan) -> figures.Section:
    """Raises: LoadError, StartError when something does not do its work."""
    hashed = argon2.PasswordHasher().hash(_PASSWORD)
    with contextlib.ExitStack() as stack:
        nginx = contestants.newest_nginx()
        behind = stack.enter_context(servers.running(house.make_folder(planned.folder, "servers"), nginx))
        gate = stack.enter_context(_gate(house.make_folder(planned.folder, "gate"), behind.app, hashed))
        others = house.House(planned, behind)
        proxies = [*gate.proxies, *_caddies(others, hashed, stack)]
        measured = _requests(planned, proxies)
        targets = tuple(
            figures.Target(most=guard.most, subject=guard.name, of=OPEN) for guard in gate.guards if guard.name != OPEN
        )
        rows = [
            turns.row_of_requests(f"request over {protocol.name}", found, targets)
            for protocol, found in measured.items()
        ]
        judge_mb = processes.memory_kb((gate.judge_pid,)) * 1.024e-3
    memory = figures.Row(what="memory after all that", unit="MB", series={"the judge": (judge_mb,)})
    return figures.Section(
        name="access",
        title="Access",
        about=_ABOUT,
        rows=(*rows, memory),
        versions=others.versions,
        notes=tuple(others.notes),
        two_modes=tuple(
            one
            for protocol, found in measured.items()
            for one in turns.find_modes(f"request over {protocol.name}", found)
        ),
    )


def _requests(
    planned: plan.Plan, proxies: collections.abc.Sequence[place_.Proxy]
) -> dict[loads.Protocol, dict[variations.Variation, turns.Turns]]:
    """Every second variation: host names do not vary here, so that there are three of each that does."""
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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Gate:
    """proxies: its sites as what is loaded, in the order of `guards`."""

    guards: tuple[Guard, ...]
    proxies: tuple[place_.Proxy, ...]
    judge_pid: int


@contextlib.contextmanager
def _gate(folder: pathlib.Path, app: int, hashed: str) -> collections.abc.Iterator[_Gate]:
    """Raises: StartError."""
    address_databases.write(folder / "countries.mmdb", _make_countries())
    state = folder / "state"
    paths = layout.Layout(str(state))
    http, https = ports.free_port(), ports.free_port()
    config = folder / "daemun.yaml"
    daemun = [sys.executable, "-m", "daemun"]
    common = ["-c", str(config), "--state", str(state)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DAEMUN_")}
    environment["DAEMUN_NGINX"] = contestants.newest_nginx()
    user = [*daemun, "users", "add", _USER, *common]
    subprocess.run(user, input=f"{_PASSWORD}\n", text=True, env=environment, check=True, stdout=subprocess.DEVNULL)
    making = [*daemun, "tokens", "add", _USER, "--all-sites", "--json", *common]
    made = subprocess.run(making, text=True, env=environment, check=True, stdout=subprocess.PIPE)
    guards = _guards(folder, hashed, json.loads(made.stdout)["token"])
    config.write_text(json.dumps(_config(guards, app, http, https)))  # JSON is YAML
    visited = clients.GateAddress(http=http, https=https, ca=pathlib.Path(paths.root_certificate))

    def ready() -> bool:
        return processes.accepts(https) and all(_answers(visited, guard) for guard in guards)

    log = folder / "said.log"
    with processes.running([*daemun, "up", *common], log, ready, environment=environment) as pid:
        judge_pid = json.loads(pathlib.Path(paths.judge_pid).read_text())["pid"]
        roots = (pid, int(pathlib.Path(paths.nginx_pid).read_text()), judge_pid)
        yield _Gate(
            guards=guards,
            proxies=tuple(
                place_.Proxy(
                    name=one.name, http=http, https=https, roots=roots, host=one.host, headers=_headers(visited, one)
                )
                for one in guards
            ),
            judge_pid=judge_pid,
        )


def _make_countries() -> dict[str, str]:
    """Of 60.0.0.0/8 20,000 of the /24, of ten countries in turn, so that neighbours differ; and loopback."""
    codes = ("KR", "DE", "US", "JP", "FR", "BR", "IN", "NG", "AU", "CA")
    networks = {f"60.{number >> 8}.{number & 255}.0/24": codes[number % len(codes)] for number in range(_COUNTRIES)}
    return networks | {"127.0.0.0/8": "KR"}


def _config(guards: tuple[Guard, ...], app: int, http: int, https: int) -> dict[str, typing.Any]:
    def site(guard: Guard) -> dict[str, typing.Any]:
        return {"routes": {"/": f"http://127.0.0.1:{app}"}} | ({"access": guard.access} if guard.access else {})

    return {
        "listen": {"http": f"127.0.0.1:{http}", "https": f"127.0.0.1:{https}"},
        "docker": "off",
        "login": {"host": _LOGIN_HOST},
        "sites": {guard.host: site(guard) for guard in guards},
    }


def _answers(visited: clients.GateAddress, guard: Guard) -> bool:
    with contextlib.suppress(OSError, httpx.TransportError):
        return clients.get(visited, f"https://{guard.host}/").status_code < 500
    return False


def _headers(visited: clients.GateAddress, guard: Guard) -> tuple[str, ...]:
    """Signs in where that is what the site asks for, and nothing else was written."""
    if guard.headers or not (isinstance(guard.access, dict) and "login" in guard.access):
        return guard.headers
    browser = login_browser.Browser(visited)
    browser.sign_in(f"https://{guard.host}/", _USER, _PASSWORD)
    return (*guard.headers, f"Cookie: __Host-daemun-session={browser.value(guard.host)}")


# --- Caddy -----------------------------------------------------------------------------------------------------


def _caddies(contestants_: house.House, hashed: str, stack: contextlib.ExitStack) -> list[place_.Proxy]:
    """Open, and with names and passwords; none, and a note, where it cannot be had."""
    guarded = functools.partial(caddy.run, users={_USER: hashed})
    found = [
        contestants_.start(house.Contestant(name=name, version=caddy.version, run=run), stack)
        for name, run in ((caddy.NAME, caddy.run), (_CADDY_GUARDED, guarded))
    ]
    headers: dict[str, tuple[str, ...]] = {_CADDY_GUARDED: (_BASIC,)}
    return [
        dataclasses.replace(proxy, name=name, headers=headers.get(name, ()))
        for proxy, name in zip(found, (caddy.NAME, _CADDY_GUARDED), strict=True)
        if proxy is not None
    ]
