"""`daemun cache purge`."""

import contextlib
import pathlib
import typing

import typer

from daemun import causes, errors, settings
from daemun.cli import command_groups, common_options, control_client, host_names, json_answer, output

group = command_groups.make_group("cache", about="Answers that the gate keeps for everybody (`cache`).")
Place = typing.Annotated[
    str,
    typer.Argument(
        metavar="HOST[/PATH]", help="The site, by any of its names, or a URL.", autocompletion=host_names.complete
    ),
]
Path = typing.Annotated[
    str | None,
    typer.Argument(metavar="[PATH]", help="That path alone, with any query; /blog/* for all that begin so."),
]


@group.command()
@common_options.with_settings
def purge(chosen: settings.Settings, place: Place, path: Path = None) -> None:
    """Forget what is kept of a site, of one of its names, or of a path there. Needs no daemon; nothing is dropped."""
    from daemun.nginx import cache_files, cache_rules

    host, path = _parse(place, path)
    json_answer.note(host=host, path=path)
    try:
        count = cache_files.purge(chosen.layout.answers, cache_rules.make_rule(host, path))
    except FileNotFoundError:
        _check_state(chosen)
        count = 0
    except OSError as error:
        cause = f"{causes.describe(error)} ({error.filename or chosen.layout.answers})"
        raise errors.EnvironmentProblemError(
            f"cannot purge the cache of {host}: {cause}; run this as the account that runs daemun"
        ) from error
    if count == 0:
        _check_site(chosen, host)
    json_answer.note(purged=count)
    where = host if path is None else f"{host}{path}"
    if count == 0:
        output.print_line(f"nothing is kept of {where}")
    else:
        output.print_line(f"{count} {'answer' if count == 1 else 'answers'} of {where} forgotten")


def _parse(place: str, path: str | None) -> tuple[str, str | None]:
    """The host as the gate knows it, and the path. Raises: ConfigError."""
    from daemun.core.logged import request_filter
    from daemun.core.texts import words

    authority, inside = request_filter.parse_place(place.partition("#")[0])
    name, colon, port = authority.rpartition(":")
    host = host_names.normal(name if colon and port.isdecimal() else authority)
    if not host.strip("*") or not set("?@ ").isdisjoint(host):
        raise errors.ConfigError(
            f"cannot purge {words.quoted(place)}: expected a site, such as app.example.com, app.example.com/blog/* or "
            "a URL; `daemun status` lists the sites"
        )
    if inside and path is not None:
        raise errors.ConfigError(
            f"cannot purge {words.quoted(place)} and {words.quoted(path)}: both have a path; write one of them"
        )
    return host, inside or path


def _check_state(chosen: settings.Settings) -> None:
    """Raises: EnvironmentProblemError when no daemon has worked there."""
    state = chosen.layout.state
    if not pathlib.Path(state).is_dir():
        raise errors.EnvironmentProblemError(
            f"cannot purge: there is no state directory {state}; name that of the daemon with `--state` or "
            "$DAEMUN_STATE"
        )


def _check_site(chosen: settings.Settings, host: str) -> None:
    """Raises: ConfigError for a name that no site has. What is kept of sites that are gone can be purged, too."""
    from daemun.core.texts import patterns, words

    known = _find_known(chosen)
    if known and host not in known and not patterns.is_among(host, known):
        cure = words.guess(host, known) or "; `daemun status` lists the sites"
        raise errors.ConfigError(f"cannot purge: there is no site {words.quoted(host)}{cure}")


def _find_known(chosen: settings.Settings) -> tuple[str, ...]:
    """The names of all sites: of the running daemon, else of the file. None: they are not known."""
    from daemun.wiring.offline import configuration

    with contextlib.suppress(errors.DaemunError):
        sites = control_client.ControlClient(chosen).status()["sites"]
        return tuple(name for site in sites for name in (site["host"], *site["aliases"]))
    with contextlib.suppress(errors.DaemunError, OSError):
        desired = configuration.read_if_good(chosen)
        if desired is not None and not configuration.unseen(chosen, desired):
            return tuple(name for site in desired.sites for name in site.names)
    return ()
