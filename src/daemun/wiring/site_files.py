"""The files of one site for its page (`control.site_port.SiteFiles`): nginx's, and what it is written by."""

import pathlib

from daemun import causes, regular_files, settings
from daemun.control import site_port
from daemun.core import layout, model
from daemun.core.plan import change_plan, shared_sites
from daemun.errors import ConfigError, EnvironmentProblemError
from daemun.sources import site_lines, yaml_holder
from daemun.sources.history import secret_masks

_MOST_BYTES = 64 << 20
LONGEST = 200_000
"""Signs of nginx's file that are shown."""


class SiteFileReader:
    """chosen: with the file that the daemon reads."""

    def __init__(self, chosen: settings.Settings) -> None:
        self._config = chosen.config
        self._layout = chosen.layout

    def read_nginx(self, host: str, *, shows_secrets: bool) -> tuple[site_port.SiteText, ...]:
        found = _read_nginx(self._layout, host)
        if shows_secrets or not found:
            return tuple(_shortened(name, text) for name, text in found)
        values = self._find_secrets()
        return tuple(_shortened(name, site_lines.hide_in_nginx(text, values)) for name, text in found)

    def _find_secrets(self) -> frozenset[str]:
        """Raises: ConfigError where they cannot be found for sure."""
        values = frozenset[str]()
        for name, content in yaml_holder.read_all(self._config).items():
            masked = secret_masks.mask(content)
            if masked is None:
                raise _is_no_yaml(name)
            values |= site_lines.find_values(masked)
        return values

    def read_source(self, site: model.Site, *, shows_secrets: bool) -> tuple[site_port.SiteText, ...]:
        place = site_lines.parse_place(site.origin.place)
        if site.origin.source != "file" or place is None:
            return ()
        content = yaml_holder.read_all(self._config).get(place[0])
        if content is None:
            return ()
        text = content.decode("utf-8-sig", "replace")
        if not shows_secrets:
            masked = secret_masks.mask(content)
            if masked is None:
                raise _is_no_yaml(place[0])
            text = site_lines.without_secrets(masked).removeprefix("\ufeff")
        found = site_lines.cut(place[0], text, place[1])
        if found is None:
            return ()
        return (site_port.SiteText(name=found.file, first=found.first, text=found.text),)


def _read_nginx(paths: layout.Layout, host: str) -> list[tuple[str, str]]:
    """The site's own file, or its lines in the files that plain sites share."""
    own = change_plan.site_file(host)
    try:
        return [(own, _read(paths, own))]
    except FileNotFoundError:
        return _read_shared(paths, host)
    except OSError as error:
        raise _cannot_read(paths, error) from error


def _read_shared(paths: layout.Layout, host: str) -> list[tuple[str, str]]:
    try:
        files = {name: _read(paths, name).encode() for name in (shared_sites.NAMES, shared_sites.SERVERS)}
        entry = shared_sites.read(files).get(host)
        if entry is None:
            return []
        lines = [f"# {shared_sites.NAMES}", f"server_name {' '.join(entry.names)};", "", f"# {shared_sites.SERVERS}"]
        text = "\n".join([*lines, f"{host} {entry.server};"])
        return [("shared", text), (shared_sites.MAIN, _read(paths, shared_sites.MAIN))]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _cannot_read(paths, error) from error


def _read(paths: layout.Layout, name: str) -> str:
    """Raises: OSError."""
    return regular_files.read(pathlib.Path(paths.current, name), _MOST_BYTES).decode("utf-8", "replace")


def _shortened(name: str, text: str) -> site_port.SiteText:
    return site_port.SiteText(name=name, first=1, text=text[:LONGEST].rstrip("\n"), is_whole=len(text) <= LONGEST)


def _cannot_read(paths: layout.Layout, error: OSError) -> EnvironmentProblemError:
    return EnvironmentProblemError(
        f"cannot read nginx's files in {paths.current}: {causes.describe(error)}; run this as the owner of daemun"
    )


def _is_no_yaml(name: str) -> ConfigError:
    return ConfigError(
        f"cannot show lines of {name}: it is no YAML, so its secrets cannot be hidden for sure; `daemun check` tells "
        "what is wrong, and an owner of the dashboard sees the file as it is"
    )
