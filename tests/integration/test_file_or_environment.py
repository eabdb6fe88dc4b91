"""Settings from the environment, until there is a file."""

import pathlib

import pytest

from daemun.errors import ConfigError
from daemun.sources import environment_source, yaml_file


async def test_the_file_counts_from_when_it_is_there(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "daemun.yaml"
    source = environment_source.FileOrEnvironment(
        yaml_file.YamlFile(path), path, {"DAEMUN_EMAIL": "me@example.com"}, is_known=False
    )

    before = await source.read()
    path.write_text("sites: {a.test: http://127.0.0.1:1}\n")
    there = await source.read()
    path.unlink()

    assert before.globals is not None
    assert (before.globals.acme.authorities[0].email, before.sites) == ("me@example.com", ())
    assert [site.host for site in there.sites] == ["a.test"]
    with pytest.raises(ConfigError, match="no such file"):
        await source.read()


async def test_a_file_that_was_known_is_missed(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "daemun.yaml"
    with pytest.raises(ConfigError):
        await environment_source.FileOrEnvironment(yaml_file.YamlFile(path), path, {}, is_known=True).read()
