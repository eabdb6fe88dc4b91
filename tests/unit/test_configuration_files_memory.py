"""The file of a node is taken apart once for what it holds, however often a step looks at it."""

import pathlib

import pytest

from daemun.fleet import configuration_files, shared_text


def test_a_file_that_did_not_change_is_taken_apart_once(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "daemun.yaml"
    config.write_bytes(b"node: {}\nsites: {a.test: http://node1:80}\n")
    files = configuration_files.ConfigurationFiles(config)
    split, count = shared_text.split, 0

    def counted(content: bytes) -> shared_text.SplitText:
        nonlocal count
        count += 1
        return split(content)

    monkeypatch.setattr(shared_text, "split", counted)
    first = files.read()
    assert first == files.read()
    assert count == 1
    config.write_bytes(b"node: {}\nsites: {b.test: http://node1:80}\n")
    assert first != files.read()
    assert count == 2
