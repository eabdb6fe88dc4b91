"""What a fleet writes into one machine's folder: only what it shares, and nowhere else."""

import pathlib

import pytest

from daemun.errors import ConfigError
from daemun.fleet import configuration_files, configuration_values

MAIN = configuration_values.MAIN
PLAIN = b"sites: {}\n"
INCLUDING = b"include: [sites/*.yaml, '*.token']\nsites: {}\n"
TEXT = b"sites: {x.test: 'http://127.0.0.1:9'}\n"


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "daemun.yaml").write_bytes(PLAIN)
    return tmp_path / "etc"


def write(folder: pathlib.Path, *names: str) -> None:
    """Make the machine's files those that another one wrote."""
    files = configuration_files.ConfigurationFiles(folder / "daemun.yaml")
    local = files.read()
    assert local is not None
    wanted = {MAIN: INCLUDING, **dict.fromkeys(names, TEXT)}
    obstacle = files.find_obstacle(wanted)
    if obstacle is None:
        files.write(wanted, local.shared)
        return
    with pytest.raises(ConfigError) as caught:  # also where it was not checked
        files.write(wanted, local.shared)
    assert str(caught.value) == obstacle
    assert (folder / "daemun.yaml").read_bytes() == PLAIN
    raise caught.value


def test_what_others_wrote_is_written(folder: pathlib.Path) -> None:
    write(folder, "sites/x.yaml")
    assert (folder / "sites" / "x.yaml").read_bytes() == TEXT
    assert (folder / "daemun.yaml").read_bytes() == INCLUDING


@pytest.mark.parametrize("name", ["sites/x.yaml", "dns.token"])
def test_a_file_that_the_machine_has_for_itself_is_not_written_over(folder: pathlib.Path, name: str) -> None:
    (folder / "sites").mkdir()
    (folder / name).write_bytes(b"its own\n")
    with pytest.raises(ConfigError, match=r"another file is there, which daemun\.yaml of this machine does not"):
        write(folder, name)
    assert (folder / name).read_bytes() == b"its own\n"


@pytest.mark.parametrize("name", ["sites/own.yaml", "dns.token"])
def test_a_file_that_the_machine_has_for_itself_is_not_shared_by_a_pattern(folder: pathlib.Path, name: str) -> None:
    (folder / "sites").mkdir()
    (folder / name).write_bytes(b"its own\n")
    with pytest.raises(ConfigError, match=f"cannot include {folder / name}: it is a file of this machine alone"):
        write(folder, "sites/x.yaml")
    assert not (folder / "sites" / "x.yaml").exists()
    (folder / name).unlink()
    write(folder, "sites/x.yaml")
    (folder / name).write_bytes(TEXT)  # which is the edit of somebody, as it is included now
    files = configuration_files.ConfigurationFiles(folder / "daemun.yaml")
    local = files.read()
    assert local is not None
    assert name in local.shared
    assert files.find_obstacle({MAIN: INCLUDING, "sites/x.yaml": TEXT}) is None


def test_the_file_of_another_name_is_not_written_over_either(folder: pathlib.Path) -> None:
    """What one machine calls daemun.yaml may be an included file of another."""
    (folder / "daemun.yaml").rename(folder / "main.token")
    files = configuration_files.ConfigurationFiles(folder / "main.token")
    obstacle = files.find_obstacle({MAIN: INCLUDING, "main.token": TEXT})
    assert obstacle is not None
    assert "another file is there" in obstacle


def test_a_write_that_ended_in_the_middle_goes_on(folder: pathlib.Path) -> None:
    (folder / "sites").mkdir()
    (folder / "sites" / "x.yaml").write_bytes(TEXT)
    write(folder, "sites/x.yaml")
    assert (folder / "daemun.yaml").read_bytes() == INCLUDING


@pytest.mark.parametrize("is_file", [False, True])
@pytest.mark.parametrize("is_there", [False, True])
def test_nothing_is_written_through_a_link_that_leads_elsewhere(
    folder: pathlib.Path, *, is_file: bool, is_there: bool
) -> None:
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    if is_there:
        (elsewhere / "x.yaml").write_bytes(TEXT)
    if is_file:
        (folder / "sites").mkdir()
        (folder / "sites" / "x.yaml").symlink_to(elsewhere / "x.yaml")
    else:
        (folder / "sites").symlink_to(elsewhere)
    with pytest.raises(ConfigError, match=f"a link leads out of {folder}"):
        write(folder, "sites/x.yaml")
    assert [one.name for one in elsewhere.iterdir()] == (["x.yaml"] if is_there else [])


def test_nothing_is_deleted_through_a_link_that_leads_elsewhere(folder: pathlib.Path) -> None:
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x.yaml").write_bytes(TEXT)
    (folder / "sites").symlink_to(elsewhere)
    (folder / "daemun.yaml").write_bytes(INCLUDING)
    files = configuration_files.ConfigurationFiles(folder / "daemun.yaml")
    local = files.read()
    assert local is not None
    assert "sites/x.yaml" in local.shared
    assert files.find_obstacle(local.shared) is None
    with pytest.raises(ConfigError, match=f"a link leads out of {folder}"):
        files.write({MAIN: INCLUDING}, local.shared)
    assert (elsewhere / "x.yaml").read_bytes() == TEXT


def test_a_folder_that_is_a_link_itself_is_written(folder: pathlib.Path) -> None:
    (folder.parent / "link").symlink_to(folder)
    write(folder.parent / "link", "sites/x.yaml")
    assert (folder / "sites" / "x.yaml").read_bytes() == TEXT
