"""Memory while nobody looks at the dashboard, and with ten browsers on it: with 100 sites, and the demo."""

import collections.abc
import contextlib
import dataclasses
import json
import pathlib
import re
import signal
import subprocess
import sys
import time

import httpx
import psutil

from bench import answering, estate, figures, plan, processes, visits
from tests.support import binaries, clients, ports

SITES = "100 sites"
DEMO = "the demo"
REST = "the daemon, before anybody looked"
BROWSERS = 10
LOOKED = f"daemon and pages, with {BROWSERS} browsers"
AFTER = "the daemon, after they left"
_PSS = "MB"
_DAEMON = "daemun.cli.daemon"
_PAGES = "daemun.dashboard"
_COOKIE = "__Host-daemun-dashboard"
_HOST = "https://daemun.localhost"
_WAYS = ("/", "/sites", "/certificates", "/changes", "/settings", "/")
_LOOKS_EVERY_S = 5.0
_START_S = 60.0
_FORGOTTEN_S = 140.0

ABOUT = f"""\
Proportional set sizes (proc(5), Pss): what a process has for itself, and its part of what several share, such as
libraries of the system. Other programs of this machine that run the same Python make them a little smaller. Beside
them resident memory, all of what is shared included, and the memory that only this process has.

A daemun with 100 sites of one line, and `daemun demo`, are left alone for a while. Then {BROWSERS} clients, each signed
in by a link of its own and with a connection of its own, walk through the pages and stay on the first, which they get
anew every {_LOOKS_EVERY_S:g} s, as the page in a browser does. The last row is {_FORGOTTEN_S:g} s after their last
request; the process of the pages ends after ten minutes.
"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """daemon: its number. options: of commands, so that they reach it."""

    daemon: int
    options: tuple[str, ...]
    http: int
    https: int
    state: pathlib.Path


def measure(given: plan.Plan) -> figures.Section:
    taken: dict[str, dict[str, list[float]]] = {}
    notes: list[str] = []
    for name, start in {SITES: _start_sites, DEMO: _start_demo}.items():
        folder = given.folder / name.replace(" ", "-")
        folder.mkdir(mode=0o755)
        try:
            with start(folder) as gate:
                plan.tell(f"{name}: up")
                _look(gate, name, taken, quick=given.quick)
        except (visits.NeverError, processes.StartError, httpx.HTTPError) as error:
            notes.append(f"{name}: given up, {error}.")
    return figures.Section(
        name="memory",
        title="Memory at rest, and with browsers",
        about=ABOUT,
        rows=tuple(_rows(taken)),
        notes=tuple(notes),
    )


def _look(gate: Gate, name: str, taken: dict[str, dict[str, list[float]]], *, quick: bool) -> None:
    def add(what: str, pids: collections.abc.Sequence[int]) -> None:
        for unit, figure in _sizes(pids).items():
            taken.setdefault(f"{what}, {unit}", {}).setdefault(name, []).append(figure)

    time.sleep(2 if quick else 45)
    add(REST, [gate.daemon])
    with contextlib.ExitStack() as stack:
        browsers = [stack.enter_context(_browser(gate)) for _ in range(BROWSERS)]
        for path in _WAYS:
            for one in browsers:
                one.get(path).raise_for_status()
        for _ in range(1 if quick else 12):
            time.sleep(_LOOKS_EVERY_S)
            for one in browsers:
                one.get("/").raise_for_status()
        add(LOOKED, [gate.daemon, *_find(gate.daemon, _PAGES)])
        for part, pids in {"daemon": [gate.daemon], "pages": _find(gate.daemon, _PAGES)}.items():
            taken.setdefault(f"{LOOKED}, {part}", {}).setdefault(name, []).append(_sizes(pids)[_PSS])
    time.sleep(2 if quick else _FORGOTTEN_S)
    add(AFTER, [gate.daemon])


def _sizes(pids: collections.abc.Iterable[int]) -> dict[str, float]:
    """By unit."""
    texts = [pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]

    def add_up(*names: str) -> float:
        form = rf"^(?:{'|'.join(names)}):\s+(\d+) kB"
        return sum(int(found) for text in texts for found in re.findall(form, text, re.MULTILINE)) * 1.024e-3

    return {
        _PSS: add_up("Pss"),
        "MB resident": add_up("Rss"),
        "MB of its own": add_up("Private_Clean", "Private_Dirty"),
    }


@contextlib.contextmanager
def _start_sites(folder: pathlib.Path) -> collections.abc.Iterator[Gate]:
    with answering.running(folder) as behind:
        one = estate.Estate(folder, estate.Plots(targets=dict.fromkeys(estate.hosts(100), behind.first)))
        with one.up(within_s=_START_S):
            options = ("-c", str(folder / "daemun.yaml"), "--state", str(folder / "s"))
            yield Gate(daemon=one.pid, options=options, http=one.http, https=one.https, state=folder / "s")


@contextlib.contextmanager
def _start_demo(folder: pathlib.Path) -> collections.abc.Iterator[Gate]:
    http, https = ports.free_port(), ports.free_port()
    own = (
        "--http",
        str(http),
        "--https",
        str(https),
        "--state",
        str(folder / "s"),
        "--nginx",
        str(binaries.nginx_path()),
    )
    command = [sys.executable, "-m", "daemun", "demo", *own, "--nginx", str(binaries.nginx_path()), "--json"]
    printed = folder / "printed"
    with processes.running(command, printed, lambda: _read_line(printed) is not None) as pid:
        options = ("-c", str(folder / "s" / "daemun.yaml"), "--state", str(folder / "s"))
        daemon = _find(pid, _DAEMON)[0]
        try:
            yield Gate(daemon=daemon, options=options, http=http, https=https, state=folder / "s")
        finally:
            psutil.Process(pid).send_signal(signal.SIGINT)
            psutil.wait_procs([psutil.Process(daemon)], timeout=_START_S)


def _read_line(printed: pathlib.Path) -> str | None:
    return next((line for line in printed.read_text().splitlines() if '"dashboard_link"' in line), None)


def _find(pid: int, module: str) -> list[int]:
    """The processes below one that run this module."""
    return [one.pid for one in psutil.Process(pid).children(recursive=True) if module in one.cmdline()]


@contextlib.contextmanager
def _browser(gate: Gate) -> collections.abc.Iterator[httpx.Client]:
    """Signed in by a link."""
    command = [sys.executable, "-m", "daemun", *gate.options, "dashboard", "--json"]
    made = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_START_S)
    link = json.loads(made.stdout)["url"].partition("#")[2]
    address = clients.GateAddress(http=gate.http, https=gate.https, ca=gate.state / "ca.pem")
    with contextlib.closing(clients.client(address)) as client:
        client.base_url = httpx.URL(_HOST)
        client.timeout = httpx.Timeout(_START_S)
        entered = client.post("/enter", data={"link": link, "next": "/"}, headers={"Origin": _HOST})
        session = re.search(rf"{_COOKIE}=([^;]+)", entered.headers.get("set-cookie", ""))
        if session is None:
            raise visits.NeverError(f"the link let nobody in: {entered.status_code}")
        # httpx would keep cookies for the address, not for the host.
        client.headers["Cookie"] = f"{_COOKIE}={session[1]}"
        yield client


def _rows(taken: dict[str, dict[str, list[float]]]) -> collections.abc.Iterator[figures.Row]:
    def series(what: str) -> figures.Series:
        return {name: tuple(taken.get(what, {}).get(name, ())) for name in (SITES, DEMO)}

    for what, most in {REST: 80.0, LOOKED: 130.0, AFTER: 80.0}.items():
        beside = {unit: series(f"{what}, {unit}") for unit in ("MB resident", "MB of its own")}
        if what is LOOKED:
            beside |= {f"MB of the {part}": series(f"{what}, {part}") for part in ("daemon", "pages")}
        targets = tuple(figures.Target(most=most, subject=name) for name in (SITES, DEMO))
        yield figures.Row(what=what, unit="MB", series=series(f"{what}, {_PSS}"), beside=beside, targets=targets)
