"""The first screen of the dashboard with 10, 1,000 and 10,000 sites: how long it takes, and whom it keeps waiting."""

import collections.abc
import contextlib
import pathlib
import statistics
import threading
import time

import httpx

from bench import answering, estate, figures, plan, slow_pages, visits

ROWS = "a page of 100 rows"
SEARCH = "a page of 100 rows, searched and sorted"
OVERVIEW = "what needs you, and totals"
FIRST = "the first look after a start"
WAITS = "another request meanwhile"
_LONGEST_S = 60.0
_VISITED = 200
"""Sites that got requests, each from a client of its own."""
_PATHS = {
    OVERVIEW: "/overview",
    ROWS: "/overview/sites?size=100",
    SEARCH: "/overview/sites?q=site-0&sort=requests&order=desc&size=100",
}

ABOUT = f"""\
A daemun with as many sites, of which {_VISITED} at most had requests, is queried as the process of the pages does, one
query after the other. The rows have lamps, numbers, and the requests of each minute of the last hour. What is shown is
made anew while somebody looks; with thousands of sites, that is after an answer, and the next has it. Meanwhile another
client sends a small request every 10 ms (`GET /domains`), of which the longest shows for how long the event loop was
kept. Then Chromium opens pages through nginx, with nothing in its cache and a connection of 1.6 Mbit/s and 150 ms for
the way there and back (Chrome's "Fast 3G").
"""


def measure(given: plan.Plan) -> figures.Section:
    taken: dict[str, dict[str, list[float]]] = {}
    notes: list[str] = []
    sizes = (10,) if given.quick else (10, 1_000, 10_000)
    for size in sizes:
        folder = given.folder / str(size)
        folder.mkdir(mode=0o755)
        try:
            _look(folder, size, 1.0 if given.quick else 15.0, taken)
        except visits.NeverError as error:
            notes.append(f"{size:,} sites: given up, {error}.")
    return figures.Section(
        name="dashboard",
        title="The first screen of the dashboard",
        about=ABOUT,
        rows=tuple(_rows(taken, [_name(size) for size in sizes])),
        notes=tuple(notes),
    )


def _name(size: int) -> str:
    return f"{size:,} sites"


def _look(folder: pathlib.Path, size: int, seconds: float, taken: dict[str, dict[str, list[float]]]) -> None:
    def add(what: str, figure: float) -> None:
        taken.setdefault(what, {}).setdefault(_name(size), []).append(figure)

    with answering.running(folder) as behind:
        one = estate.Estate(folder, estate.Plots(targets=dict.fromkeys(estate.hosts(size), behind.first)))
        with one.up(within_s=_LONGEST_S), _client(one) as client:
            plan.tell(f"{_name(size)}: up")
            for host in estate.hosts(min(size, _VISITED)):
                one.until(host, str(behind.first), within_s=_LONGEST_S)
            add(FIRST, _time(client, _PATHS[OVERVIEW]))
            with _another(one) as waited:
                end_s = time.monotonic() + seconds
                while time.monotonic() < end_s:
                    for what, path in _PATHS.items():
                        add(what, _time(client, path))
                    time.sleep(0.3)
            for title, times in slow_pages.measure(one, folder / "browser", rounds=1 if seconds < 5 else 5).items():
                for painted, loaded in times:
                    add(_of_page(title, slow_pages.PAINTED), painted)
                    add(_of_page(title, slow_pages.LOADED), loaded)
            add(WAITS, max(waited))
            add(f"{WAITS}, usually", statistics.median(waited))


def _of_page(title: str, moment: str) -> str:
    return f"{title} over a slow connection, {moment}"


def _client(one: estate.Estate) -> httpx.Client:
    transport = httpx.HTTPTransport(uds=str(one.control_socket))
    return httpx.Client(transport=transport, base_url="http://daemun", timeout=_LONGEST_S)


def _time(client: httpx.Client, path: str) -> float:
    """Milliseconds."""
    began_s = time.monotonic()
    client.get(path).raise_for_status()
    return 1000 * (time.monotonic() - began_s)


@contextlib.contextmanager
def _another(one: estate.Estate) -> collections.abc.Iterator[list[float]]:
    """Who sends small requests all the while. Yields: how long each took, in milliseconds."""
    waited: list[float] = []
    is_over = threading.Event()

    def ask() -> None:
        with _client(one) as client:
            while not is_over.wait(0.01):
                waited.append(_time(client, "/domains"))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield waited
    finally:
        is_over.set()
        asking.join()


def _rows(
    taken: dict[str, dict[str, list[float]]], names: collections.abc.Sequence[str]
) -> collections.abc.Iterator[figures.Row]:
    def series(what: str) -> figures.Series:
        return {name: tuple(taken.get(what, {}).get(name, ())) for name in names}

    most = names[-1]
    yield figures.Row(what=FIRST, unit="ms", series=series(FIRST), targets=(figures.Target(most=1000, subject=most),))
    for what in _PATHS:
        yield figures.Row(what=what, unit="ms", series=series(what), targets=(figures.Target(most=200, subject=most),))
    for title in ("Home", "Sites", "a site"):
        if _of_page(title, slow_pages.PAINTED) not in taken:
            continue  # there is no browser
        yield figures.Row(
            what=f"{title} over a slow connection",
            unit=f"ms, {slow_pages.PAINTED}",
            series=series(_of_page(title, slow_pages.PAINTED)),
            beside={f"ms, {slow_pages.LOADED}": series(_of_page(title, slow_pages.LOADED))},
            targets=(figures.Target(most=1000, subject=most),),
        )
    yield figures.Row(
        what=WAITS,
        unit="ms at most",
        series=series(WAITS),
        beside={"ms usually": series(f"{WAITS}, usually")},
        targets=(figures.Target(most=200, subject=most),),
    )
