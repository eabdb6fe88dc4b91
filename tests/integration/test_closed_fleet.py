"""What a machine says whose fleet could not be opened at its start: nothing is tried again, and the cure helps."""

import pathlib

import pytest

from daemun import errors
from daemun.store import file_store
from daemun.wiring import fleet_parts


@pytest.mark.parametrize(
    "cause",
    [
        "cannot reach the fleet's database: refused; check that PostgreSQL runs; it is tried again",
        'cannot read the fleet\'s key in "/x": no such file or directory; copy the file',
    ],
)
def test_what_failed_at_the_start_is_cured_by_another_start(tmp_path: pathlib.Path, cause: str) -> None:
    own = file_store.FileStore(tmp_path)
    own.write("certs/a", b"1")
    store = fleet_parts._close(own, cause)
    (problem,) = store.damage.problems()
    assert "daemun stop --keep-traffic" in problem.message
    assert "it is tried again" not in problem.message and "until then" not in problem.message
    assert store.read("certs/a") == b"1"
    with pytest.raises(errors.StoreUnreachableError, match="stop --keep-traffic"):
        store.write("certs/a", b"2")
