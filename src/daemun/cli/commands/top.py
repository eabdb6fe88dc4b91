"""`daemun top`."""

import collections.abc
import contextlib
import dataclasses
import datetime
import pathlib
import sys
import time
import typing

import typer

from daemun import errors, settings
from daemun.cli import (
    common_options,
    daemon_state,
    host_names,
    json_answer,
    known_names,
    output,
    top_lines,
    top_screen,
    traffic_cells,
)
from daemun.core.texts import durations, words
from daemun.core.traffic import traffic_rates

if typing.TYPE_CHECKING:
    from daemun.traffic import live_traffic

EVERY_S = 2.0
SPANS_S = (10.0, 60.0)
PLAIN_WIDTH = 80
PLAIN_ROWS = 20

Host = typing.Annotated[
    str | None,
    typer.Argument(
        metavar="[HOST[/PATH]]", help="The routes of this site, below this path.", autocompletion=host_names.complete
    ),
]
Once = typing.Annotated[bool, typer.Option("--once", help="Print one table and end, as without a terminal.")]
Times = typing.Annotated[
    int | None,
    typer.Option("-n", metavar="NUMBER", min=1, max=1_000_000, help="End after so many tables, one each two seconds."),
]
Sort = typing.Annotated[
    traffic_rates.Order, typer.Option("--sort", help="What comes first; on a terminal the keys r, e, t, b and n.")
]
Rows = typing.Annotated[
    int,
    typer.Option(
        "--top", metavar="NUMBER", min=1, max=1_000_000, help="Rows of a table that is not live; JSON has all."
    ),
]


@common_options.with_settings
def top(  # noqa: PLR0917 - Typer's
    chosen: settings.Settings,
    host: Host = None,
    once: Once = False,
    times: Times = None,
    sort: Sort = traffic_rates.Order.REQUESTS,
    rows: Rows = PLAIN_ROWS,
    as_json: common_options.AsJson = False,
) -> None:
    """Show what happens now: requests a second, 4xx and 5xx, times and bytes of the busiest sites. Needs no daemon.

    Live on a terminal: of the last 10 seconds, or with the key w of the last minute, requests that ended; q ends it.
    Elsewhere, with --once and with --json one table, of the last minute or two. Open connections are those of all
    visitors and of streams, by port.
    """
    from daemun.traffic import live_traffic

    site, path = (None, "") if host is None else traffic_cells.parse_place(host)
    times = 1 if once else times
    is_live = sys.stdout.isatty() and not as_json and times != 1
    with contextlib.closing(live_traffic.LiveTraffic(chosen.layout)) as live:
        look = _Look(chosen, live, site, path)
        look.check()
        if is_live:
            top_screen.show(look.view, live.read, order=sort, spans_s=SPANS_S, every_s=EVERY_S, times=times)
            return
        for number in range(times or 1):
            if number:
                time.sleep(EVERY_S)
            live.read()
            view = look.view(sort, SPANS_S[0])
            if as_json:
                json_answer.print_json(_value(view, site), is_line=(times or 1) > 1)
            else:
                _print(view, rows)


class _Look:
    """What `daemun top` reads for each refresh. site: whose routes are shown, by any of its names; None: all sites are
    shown."""

    def __init__(
        self, chosen: settings.Settings, live: "live_traffic.LiveTraffic", site: str | None, path: str
    ) -> None:
        self._settings = chosen
        self._live = live
        self._site = site
        self._path = path
        self._note: str | None = None
        self._of_one_route = known_names.read(chosen).of_one_route if site is not None else frozenset[str]()

    def check(self) -> None:
        """Look why there is nothing, if there is nothing. Raises: ConfigError for what is no site."""
        if self._found(SPANS_S[-1])[0]:
            return
        if self._site is not None:
            self._find_site(self._site)
        self._note = _why_nothing(self._settings)

    def view(self, order: traffic_rates.Order, span_s: float) -> top_lines.View:
        found, span_s = self._found(span_s)
        state = _state(self._settings)
        notes = (state, None if found else self._note or _NOTHING)
        return top_lines.make_view(
            found,
            span_s,
            order,
            site=self._site,
            open_=_count_open(self._settings),
            notes=tuple(one for one in notes if one is not None),
        )

    def _found(self, span_s: float) -> "tuple[traffic_cells.Found, float]":
        found, span_s = self._live.within(span_s)
        if self._site is None:
            return found, span_s
        found = traffic_cells.of_place(found, self._site, self._path)
        return traffic_cells.with_only_route(found) if self._site in self._of_one_route else found, span_s

    def _find_site(self, name: str) -> None:
        """Requests are counted for a site's first name."""
        known = known_names.read(self._settings)
        site = next((names[0] for names in known.sites if name in names), None)
        if site is not None:
            self._site = site
        elif known_names.is_stream(name, known.streams):
            raise errors.ConfigError(
                f"cannot show the requests of {words.quoted(name)}: it is a stream, which has none; `daemun top` shows "
                "how many connections are open, by port"
            )
        elif known.is_known:
            raise errors.ConfigError(f'cannot show "{name}": it is no site; `daemun sites` lists them')


_NOTHING = "no request has ended in this time"


def _why_nothing(chosen: settings.Settings) -> str | None:
    """None: nobody made a request, as far as is known."""
    from daemun.core.options import logs_option
    from daemun.wiring.offline import configuration

    with contextlib.suppress(errors.DaemunError, OSError):
        desired = configuration.read_if_good(daemon_state.with_daemons_file(chosen))
        if desired is not None and not logs_option.OPTION.of(desired.globals).traffic:
            return "requests are not counted: `logs: {traffic: false}` in the file switches that off"
    return None


def _state(chosen: settings.Settings) -> str | None:
    """What is wrong with the whole; None: nothing."""
    from daemun.store import instance

    if instance.read_owner(pathlib.Path(chosen.layout.lock)) is not None:
        return None
    served = daemon_state.nginx_that_serves(chosen)
    if served is None:
        return "neither daemun nor nginx runs: nothing is served; `daemun up` starts both"
    return f"daemun is not running: {served}"


def _count_open(chosen: settings.Settings) -> dict[int, int]:
    from daemun.nginx import kernel_processes, worker_register

    return kernel_processes.count_established(worker_register.Register(chosen.layout).read().ports)


def _print(view: top_lines.View, rows: int) -> None:
    for line in (top_lines.heading(view), *view.notes):
        for part in _wrap(output.clean(line)):
            print(part)
    if view.rates:
        print(*top_lines.table(view, most=rows, width=PLAIN_WIDTH), sep="\n", flush=True)


def _wrap(line: str) -> collections.abc.Iterable[str]:
    import textwrap

    return textwrap.wrap(line, PLAIN_WIDTH, break_long_words=False, break_on_hyphens=False)


def _value(view: top_lines.View, site: str | None) -> dict[str, typing.Any]:
    skipped = {"route"} if site is None else set()
    return {
        "at": durations.instant(datetime.datetime.now(datetime.UTC)),
        "seconds": round(view.span_s, 1),
        "open_connections": {
            "total": sum(view.open_.values()),
            "ports": {str(port): count for port, count in view.open_.items()},
        },
        "notes": list(view.notes),
        "total": _rate(view.total, {"site", "route"}),
        "sites" if site is None else "routes": [_rate(one, skipped) for one in view.rates],
    }


def _rate(one: traffic_rates.TrafficRate, skipped: set[str]) -> dict[str, typing.Any]:
    return {
        name: round(value, 3) if isinstance(value, float) else value
        for name, value in dataclasses.asdict(one).items()
        if name not in skipped
    }
