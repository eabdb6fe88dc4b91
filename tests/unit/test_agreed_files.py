"""What a machine serves of what its fleet agreed on, where its own part of the file cannot be put in as it stands."""

import pathlib
import typing

import pytest

from daemun import errors
from daemun.fleet import agreed_files, configuration_files, configuration_values, followed_record
from daemun.sources import given_files
from daemun.store import memory_store

MAIN = configuration_values.MAIN
AGREED = {MAIN: b"sites: {a.test: http://192.0.2.1}\n"}
OWN = b"node: {listen: {http: 8080}}\n"


def texts(config: pathlib.Path) -> agreed_files.AgreedTexts:
    """Of a machine whose own part is remembered."""
    store = memory_store.MemoryStore()
    known = configuration_values.FollowedRevision(number=1, id="one", files=AGREED, own=OWN)
    store.write(configuration_values.KEY_OF_NODE, configuration_values.encode(known))
    files = configuration_files.ConfigurationFiles(config)
    return agreed_files.AgreedTexts(files, followed_record.FollowedRecord(typing.cast("typing.Any", store)))


def test_the_part_that_was_its_own_last_stands_in_for_one_that_does_not_fit(tmp_path: pathlib.Path) -> None:
    config = tmp_path / "daemun.yaml"
    config.write_bytes(OWN + AGREED[MAIN])
    one = texts(config)
    complete = one._files.complete

    def fail_with_file(
        files: configuration_values.Files, local: configuration_files.LocalFiles | None, own: bytes = b""
    ) -> given_files.GivenFiles:
        if local is not None:
            raise errors.ConfigError("cannot put them together")
        return complete(files, local, own)

    one._files.complete = fail_with_file  # type: ignore[method-assign]
    assert OWN in one.complete(AGREED).main


def test_what_could_be_put_together_last_is_kept(tmp_path: pathlib.Path) -> None:
    config = tmp_path / "daemun.yaml"
    config.write_bytes(OWN + AGREED[MAIN])
    one = texts(config)
    one.target = AGREED
    before = one.find()

    def fail(*_: object) -> given_files.GivenFiles:
        raise errors.EnvironmentProblemError("cannot read the folder")

    one._files.complete = fail  # type: ignore[method-assign, assignment]
    one.target = {MAIN: b"sites: {}\n"}
    assert one.find() == before
    with pytest.raises(errors.EnvironmentProblemError):
        one.complete(one.target)
