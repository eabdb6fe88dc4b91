"""HTTP-01 proofs as files, where nginx does not answer by itself."""

import os
import pathlib
import time

import pytest

from daemun import errors
from daemun.certs.acme import challenge_files, prover_port
from daemun.core import model


def test_a_proof_that_nginx_gives_by_itself_needs_no_file(tmp_path: pathlib.Path) -> None:
    """Nor does a token lead out of the folder, as one did of BunkerWeb's (GHSA-79fm-4xj6-pp5g)."""

    def proof(token: str, thumbprint: str) -> prover_port.Proof:
        kind = model.Challenge.HTTP_01
        return prover_port.Proof(host="a.test", challenge=kind, token=token, content=f"{token}.{thumbprint}")

    folder = tmp_path / "challenges"
    files = challenge_files.ChallengeFiles(folder, lambda: "shared", worker_gid=None)
    files.present([proof("one", "shared"), proof("two", "own")])
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"two": "two.own"}
    (folder / "foreign").write_text("foreign.another")
    files.remove([proof("one", "shared"), proof("two", "own")])
    assert [path.name for path in folder.iterdir()] == ["foreign"]
    for token in ("../escape", "", "a/b", "a" * 300, "."):
        with pytest.raises(errors.RetryableError, match="gave a token of other characters"):
            files.present([proof(token, "own")])
    assert not (tmp_path / "escape").exists()


def test_what_a_killed_daemun_left_is_removed_and_nothing_else(tmp_path: pathlib.Path) -> None:
    files = challenge_files.ChallengeFiles(tmp_path, lambda: None, worker_gid=None)
    for name, content in {"old": "old.own", "new": "new.own", "theirs": "theirs.x", "other": "nothing"}.items():
        (tmp_path / name).write_text(content)
    before = time.time() - challenge_files.LEFT_BEHIND_S - 1
    for name in ("old", "theirs", "other"):
        os.utime(tmp_path / name, (before, before))
    files.sweep({"own"})
    assert {path.name for path in tmp_path.iterdir()} == {"new", "theirs", "other"}
