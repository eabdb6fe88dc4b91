"""Settings of the command line and the environment, read once and passed on as values.

A flag wins over the environment, the environment over the default. An empty variable counts as not set.
"""

import collections.abc
import dataclasses
import enum
import os
import pathlib
import shlex

from daemun.core import layout
from daemun.errors import ConfigError
from daemun.nginx import pairs_folder, work_folder

CONFIG_NAME = "daemun.yaml"
_ARGUMENT = "the command line"
SYSTEM_CONFIG = pathlib.Path("/etc/daemun/daemun.yaml")
SYSTEM_STATE = pathlib.Path("/var/lib/daemun")
LONGEST_SOCKET_PATH_BYTES = 107
"""A unix socket's path has 108 bytes with its end. Source: unix(7), sun_path."""


class LogFormat(enum.Enum):
    """AUTO: TEXT on a terminal, else JSON."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GivenOptions:
    """Options of the command line; None: not given."""

    config: pathlib.Path | None = None
    state: pathlib.Path | None = None
    nginx: pathlib.Path | None = None
    log_format: LogFormat = LogFormat.AUTO
    verbose: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where everything is, resolved. All paths are absolute.

    config: the file; it may not exist. state: the state directory; it may not exist.
    nginx: the binary that was named; None: it is looked for. verbose: debug lines in the log, too.
    config_from, state_from, nginx_from: where it was named, for messages: "-c", "$DAEMUN_CONFIG", "the default".
    """

    config: pathlib.Path
    state: pathlib.Path
    nginx: pathlib.Path | None = None
    log_format: LogFormat = LogFormat.AUTO
    verbose: bool = False
    config_from: str = "the default"
    state_from: str = "the default"
    nginx_from: str = "the default"

    @property
    def layout(self) -> layout.Layout:
        state = str(self.state)
        return layout.Layout(state, work=work_folder.find(state), pairs_name=pairs_folder.find(state))

    @property
    def config_was_chosen(self) -> bool:
        """Whether the file was named, rather than found as the default."""
        return self.config_from != "the default"

    @property
    def options(self) -> str:
        """What another command needs to reach the same gate: what the command line named, not what the environment
        gives to every command."""
        named = {"--state": (self.state_from, self.state), "-c": (self.config_from, self.config)}
        words = [word for name, (by, path) in named.items() if by in {name, _ARGUMENT} for word in (name, str(path))]
        return shlex.join(words)


def resolve(
    given: GivenOptions,
    *,
    environ: collections.abc.Mapping[str, str],
    is_root: bool,
    working_directory: pathlib.Path,
    system_config: pathlib.Path = SYSTEM_CONFIG,
) -> Settings:
    """The settings for one run.

    working_directory: what relative paths are relative to; absolute.
    Raises: ConfigError when the state directory's path is too long for the sockets in it.
    """
    config, config_from = _choose(given.config, "-c", environ, "DAEMUN_CONFIG")
    state, state_from = _choose(given.state, "--state", environ, "DAEMUN_STATE")
    nginx, nginx_from = _choose(given.nginx, "--nginx", environ, "DAEMUN_NGINX")
    config = config or _default_config(environ, working_directory, system_config, is_root=is_root)
    state = state or default_state(environ, is_root=is_root)
    settings = Settings(
        config=working_directory / config.expanduser(),
        state=working_directory / state.expanduser(),
        nginx=working_directory / nginx.expanduser() if nginx else None,
        log_format=given.log_format,
        verbose=given.verbose,
        config_from=config_from,
        state_from=state_from,
        nginx_from=nginx_from,
    )
    _check_socket_path(settings)
    return settings


def with_config(settings: Settings, file: pathlib.Path) -> Settings:
    """The same with a file that was named as an argument."""
    return dataclasses.replace(settings, config=file, config_from=_ARGUMENT)


def default_state(environ: collections.abc.Mapping[str, str], *, is_root: bool) -> pathlib.Path:
    """Source: XDG Base Directory Specification 0.8: a relative path in XDG_DATA_HOME is to be ignored.

    Raises: ConfigError for a user who has no home directory.
    """
    if is_root:
        return SYSTEM_STATE
    data_home = pathlib.Path(environ.get("XDG_DATA_HOME", ""))
    if not data_home.is_absolute():
        try:
            data_home = pathlib.Path.home() / ".local" / "share"
        except RuntimeError as error:
            raise ConfigError("cannot choose a state directory: you have no home; name one with --state") from error
    return data_home / "daemun"


def check_config_exists(settings: Settings) -> None:
    """Raises: ConfigError with where the file was looked for and how to name another."""
    if settings.config.exists():
        return
    kept = os.path.exists(settings.layout.kept_file)  # noqa: PTH110 - never an error
    if settings.config_was_chosen:
        cure = "; put back what it held last with `daemun restore-file`" if kept else ""
        raise ConfigError(f'cannot read "{settings.config}" (from {settings.config_from}): there is no such file{cure}')
    looked = f"there is no {settings.config}"
    if settings.config != SYSTEM_CONFIG:
        looked = f"neither {settings.config} nor {SYSTEM_CONFIG} exists"
    restore = "put back what it held last with `daemun restore-file`, " if kept else ""
    raise ConfigError(
        f"cannot find a configuration: {looked}; {restore}write one, make one with `daemun add HOST TARGET`, or name "
        "one with -c"
    )


def _choose(
    flag: pathlib.Path | None, flag_name: str, environ: collections.abc.Mapping[str, str], variable: str
) -> tuple[pathlib.Path | None, str]:
    if flag is not None:
        return flag, flag_name
    if environ.get(variable):
        return pathlib.Path(environ[variable]), f"${variable}"
    return None, "the default"


def _default_config(
    environ: collections.abc.Mapping[str, str],
    working_directory: pathlib.Path,
    system_config: pathlib.Path,
    *,
    is_root: bool,
) -> pathlib.Path:
    """The file beside the user wins, then the user's own; where there is none at all, it is the one that `daemun add`
    would make."""
    beside = working_directory / CONFIG_NAME
    own = None if is_root else _user_config(environ)
    return next((path for path in (beside, own, system_config) if path is not None and path.exists()), beside)


def _user_config(environ: collections.abc.Mapping[str, str]) -> pathlib.Path | None:
    """None: the user has no home directory. Source: as `default_state`, for XDG_CONFIG_HOME."""
    config_home = pathlib.Path(environ.get("XDG_CONFIG_HOME", ""))
    if not config_home.is_absolute():
        try:
            config_home = pathlib.Path.home() / ".config"
        except RuntimeError:
            return None
    return config_home / "daemun" / CONFIG_NAME


def _check_socket_path(settings: Settings) -> None:
    longest = max(
        settings.layout.control_socket, settings.layout.confirm_socket, key=lambda path: len(os.fsencode(path))
    )
    excess = len(os.fsencode(longest)) - LONGEST_SOCKET_PATH_BYTES
    if excess > 0:
        raise ConfigError(
            f'cannot use the state directory "{settings.state}" (from {settings.state_from}): its path is {excess} '
            f"bytes too long, because the path of a socket in it may have at most {LONGEST_SOCKET_PATH_BYTES} bytes; "
            "name another one with --state"
        )
