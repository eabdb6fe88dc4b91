"""O6: what was read of certificates before is not read again at a start, and is never taken for true of other ones."""

import datetime
import os
import pathlib

import pytest

from daemun.certs import certificate_manager
from daemun.certs.served import bundle, local_ca
from daemun.core import model
from tests.support import issuing

DAY = datetime.timedelta(days=1)


@pytest.fixture
def state(tmp_path: pathlib.Path) -> issuing.StateDirectory:
    return issuing.StateDirectory(tmp_path / "state")


async def start(state: issuing.StateDirectory, *hosts: str) -> certificate_manager.Manager:
    made = state.new_manager()
    await made.prepare(
        [model.CertificateSpec(name=host, host=host, names=(host,), mode=model.TlsMode.LOCAL) for host in hosts]
    )
    await made.confirm()
    return made


async def test_o6_a_start_reads_no_certificate_twice(
    state: issuing.StateDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = [f"n{number}.test" for number in range(5)]
    before = (await start(state, *hosts)).status()
    root = local_ca.load_or_create(state.store, state.clock.now())
    monkeypatch.setattr(local_ca, "load_or_create", lambda *_: root)
    monkeypatch.setattr(bundle, "parse", lambda *_, **__: pytest.fail("it is read again"))
    assert (await start(state, *hosts)).status() == before


@pytest.mark.parametrize("later", [61 * DAY, 89 * DAY, 91 * DAY, 400 * DAY, -400 * DAY])
async def test_o6_no_certificate_is_kept_longer_than_it_should(
    state: issuing.StateDirectory, later: datetime.timedelta
) -> None:
    (before,) = (await start(state, "a.test")).status()
    state.clock.advance(later)
    (after,) = (await start(state, "a.test")).status()
    found = state.bundle("a.test")
    assert found.is_valid_at(state.clock.now())
    assert found.fingerprint == after.fingerprint != before.fingerprint


@pytest.mark.parametrize("file", ["privkey.pem", "fullchain.pem"])
@pytest.mark.parametrize("kept_s", [True, False], ids=["same time", "new time"])
async def test_o6_what_was_damaged_while_daemun_was_down_is_made_anew(
    state: issuing.StateDirectory, file: str, kept_s: bool
) -> None:
    """Also where nothing but its content tells it: of the same length, from the same moment."""
    await start(state, "a.test")
    path = state.live / "a.test" / file
    content, seen = path.read_bytes(), path.stat()
    path.write_bytes(content[:100] + bytes(reversed(content[100:140])) + content[140:])
    if kept_s:
        os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    await start(state, "a.test")
    found = state.bundle("a.test")
    assert not found.missing(["a.test"])
