"""The names of sites and streams, for commands that need no daemon."""

import collections.abc
import contextlib
import dataclasses

from daemun import errors, settings
from daemun.cli import control_client, stream_rows


@dataclasses.dataclass(frozen=True, slots=True)
class KnownNames:
    """sites: the names of each. streams: theirs. of_one_route: first names of sites whose only route is `/`. is_known:
    False: neither a daemon nor the file could be read."""

    sites: tuple[tuple[str, ...], ...] = ()
    streams: tuple[str, ...] = ()
    of_one_route: frozenset[str] = frozenset()
    is_known: bool = True


def read(chosen: settings.Settings) -> KnownNames:
    """Of the running daemon, else of the file."""
    from daemun.core.options import streams_option
    from daemun.wiring.offline import configuration

    with contextlib.suppress(errors.DaemunError):
        status = control_client.ControlClient(chosen).status()
        return KnownNames(
            tuple((site["host"], *site["aliases"]) for site in status["sites"]),
            tuple(one["name"] for one in status.get("streams", ())),
            frozenset(site["host"] for site in status["sites"] if [one["path"] for one in site["routes"]] == ["/"]),
        )
    with contextlib.suppress(errors.DaemunError, OSError):
        desired = configuration.read_if_good(chosen)
        if desired is not None:
            streams = streams_option.OPTION.of(desired.globals)
            return KnownNames(
                tuple(site.names for site in desired.sites),
                tuple(one.name for one in streams),
                frozenset(site.host for site in desired.sites if [one.name for one in site.routes] == ["/"]),
            )
    return KnownNames(is_known=False)


def is_stream(text: str, streams: collections.abc.Iterable[str]) -> bool:
    """Whether a text names one of them, with "stream" before it, too."""
    wanted = stream_rows.name_in(text) or text.strip().lower()
    return any(one.lower() == wanted for one in streams)
