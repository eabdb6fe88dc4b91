"""Where file, state directory and nginx are taken from."""

import pathlib

import pytest

from daemun import settings
from daemun.errors import ConfigError


def _resolve(
    tmp_path: pathlib.Path,
    given: settings.GivenOptions | None = None,
    *,
    is_root: bool = False,
    system_config: pathlib.Path | None = None,
    **environ: str,
) -> settings.Settings:
    return settings.resolve(
        given or settings.GivenOptions(),
        environ=environ,
        is_root=is_root,
        working_directory=tmp_path,
        system_config=system_config or tmp_path / "none.yaml",
    )


def test_a_flag_wins_over_the_environment(tmp_path: pathlib.Path) -> None:
    given = settings.GivenOptions(config=pathlib.Path("/flag/c.yaml"), state=pathlib.Path("/flag/s"))
    found = _resolve(tmp_path, given, DAEMUN_CONFIG="/env/c.yaml", DAEMUN_STATE="/env/s", DAEMUN_NGINX="/env/nginx")
    assert (found.config, found.config_from) == (pathlib.Path("/flag/c.yaml"), "-c")
    assert (found.state, found.state_from) == (pathlib.Path("/flag/s"), "--state")
    assert (found.nginx, found.nginx_from) == (pathlib.Path("/env/nginx"), "$DAEMUN_NGINX")
    assert found.config_was_chosen


def test_relative_paths_are_made_absolute(tmp_path: pathlib.Path) -> None:
    found = _resolve(
        tmp_path, settings.GivenOptions(config=pathlib.Path("c.yaml")), DAEMUN_STATE="s", DAEMUN_NGINX="bin/nginx"
    )
    assert found.config == tmp_path / "c.yaml"
    assert found.state == tmp_path / "s"
    assert found.nginx == tmp_path / "bin" / "nginx"


def test_an_empty_variable_counts_as_not_set(tmp_path: pathlib.Path) -> None:
    found = _resolve(tmp_path, is_root=True, DAEMUN_STATE="", DAEMUN_CONFIG="", DAEMUN_NGINX="")
    assert found.state == settings.SYSTEM_STATE
    assert found.nginx is None
    assert not found.config_was_chosen


def test_the_file_beside_the_user_wins_over_the_system_s(tmp_path: pathlib.Path) -> None:
    system = tmp_path / "system.yaml"
    assert _resolve(tmp_path, system_config=system).config == tmp_path / "daemun.yaml"
    system.touch()
    assert _resolve(tmp_path, system_config=system).config == system
    (tmp_path / "daemun.yaml").touch()
    assert _resolve(tmp_path, system_config=system).config == tmp_path / "daemun.yaml"


def test_the_file_of_a_user_without_root(tmp_path: pathlib.Path) -> None:
    """It wins over the system's; the one beside the user wins over it, and root has none."""
    system = tmp_path / "system.yaml"
    system.touch()
    own = tmp_path / "xdg" / "daemun" / "daemun.yaml"
    own.parent.mkdir(parents=True)
    home = str(tmp_path / "xdg")
    assert _resolve(tmp_path, system_config=system, XDG_CONFIG_HOME=home).config == system
    own.touch()
    assert _resolve(tmp_path, system_config=system, XDG_CONFIG_HOME=home).config == own
    assert _resolve(tmp_path, system_config=system, XDG_CONFIG_HOME=home, is_root=True).config == system
    assert _resolve(tmp_path, system_config=system, XDG_CONFIG_HOME="xdg").config != own
    (tmp_path / "daemun.yaml").touch()
    assert _resolve(tmp_path, system_config=system, XDG_CONFIG_HOME=home).config == tmp_path / "daemun.yaml"


def test_the_state_directory_of_a_user(tmp_path: pathlib.Path) -> None:
    assert _resolve(tmp_path, XDG_DATA_HOME="/data").state == pathlib.Path("/data/daemun")
    relative = _resolve(tmp_path, XDG_DATA_HOME="relative").state
    assert relative == pathlib.Path.home() / ".local/share/daemun"


def test_a_state_directory_that_is_too_long_is_refused_by_name(tmp_path: pathlib.Path) -> None:
    long = pathlib.Path("/" + "long" * 30)
    with pytest.raises(ConfigError, match=r'"/longlong.*\(from \$DAEMUN_STATE\).*107 bytes.*--state'):
        _resolve(tmp_path, DAEMUN_STATE=str(long))
    room = settings.LONGEST_SOCKET_PATH_BYTES - len("/run/control.sock")
    assert _resolve(tmp_path, DAEMUN_STATE="/" + "x" * (room - 1))
    with pytest.raises(ConfigError, match="is 1 bytes too long"):
        _resolve(tmp_path, DAEMUN_STATE="/" + "x" * room)


def test_a_file_that_is_not_there(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match=r"neither .*daemun\.yaml nor /etc/daemun/daemun\.yaml exists.*daemun add"):
        settings.check_config_exists(_resolve(tmp_path))
    with pytest.raises(ConfigError, match=r'"/no/c\.yaml" \(from \$DAEMUN_CONFIG\)'):
        settings.check_config_exists(_resolve(tmp_path, DAEMUN_CONFIG="/no/c.yaml"))
    (tmp_path / "daemun.yaml").touch()
    settings.check_config_exists(_resolve(tmp_path))
