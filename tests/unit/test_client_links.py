"""Links by which a device gets its certificate: once, within their time, and from the store afterwards."""

import collections.abc
import datetime
import typing

import pytest

from daemun import errors
from daemun.certs.served import client_ca, client_link_pages, client_links
from daemun.control import lease as lease_
from daemun.control import stored_values
from daemun.store import memory_store
from tests.support import clock as clock_

NOW = datetime.datetime(2026, 11, 29, tzinfo=datetime.UTC)


def issue(name: str) -> client_ca.IssuedClient:
    made = client_ca.ClientCertificate(name=name, serial="1", made_at=NOW, expires_at=NOW)
    return client_ca.IssuedClient(client=made, p12=b"\x00p12 of " + name.encode(), password="a password")


class Kept(memory_store.MemoryStore):
    """Keeps what it has while the disk takes nothing."""

    is_full = False

    def commit(
        self, changes: collections.abc.Collection[stored_values.KeyChange], *, lease: lease_.Lease | None = None
    ) -> None:
        if self.is_full:
            raise errors.EnvironmentProblemError("the disk is read-only")
        super().commit(changes, lease=lease)


def test_once() -> None:
    store, time = Kept(), clock_.FakeClock(NOW)
    links = client_links.ClientLinks(store, time)
    secret, ends_at = links.offer(issue("alice"), lifetime_s=60)
    other, _ = links.offer(issue("bob"), lifetime_s=60)
    assert (len(secret), ends_at - NOW) == (43, datetime.timedelta(seconds=60))
    content = b"".join(store.read(key) for key in store.list("clients/links"))
    assert not any(text in content for text in (secret.encode(), b"a password"))
    assert not any(secret in key for key in store.list(""))

    for wrong in ("", secret[:-1], f"{secret}x", f"{secret[:-1]}\n", "A" * 43, "../" * 14 + "a", "é" * 43):
        assert (links.find(wrong), links.take(wrong)) == (None, None)
    for _ in range(2):
        found = links.find(secret)
        assert found is not None
        assert (found.name, found.p12) == ("alice", b"\x00p12 of alice")
    # What cannot be deleted is not handed over.
    store.is_full = True
    with pytest.raises(errors.EnvironmentProblemError):
        links.take(secret)
    store.is_full = False
    assert links.take(secret) == found
    assert (links.take(secret), links.find(secret)) == (None, None)
    assert len(store.list("clients/links")) == 1
    links.withdraw("alice")
    assert links.find(other) is not None
    links.withdraw("bob")
    assert store.list("clients/links") == []


def test_they_end() -> None:
    store, time = memory_store.MemoryStore(), clock_.FakeClock(NOW)
    links = client_links.ClientLinks(store, time)
    secret, ends_at = links.offer(issue("alice"), lifetime_s=60)
    store.write("clients/links/damaged", b"{")
    time.advance(ends_at - NOW)
    assert (links.find(secret), links.take(secret)) == (None, None)
    links.offer(issue("bob"), lifetime_s=60)
    assert len(store.list("clients/links")) == 1


def test_pages_escape_and_choose_their_language() -> None:
    page = client_link_pages.offer(client_link_pages.choose_words("ko, en;q=0.5"), name="<b>", end="now")
    assert ('lang="ko"' in page, "&lt;b&gt;" in page, "<b>" in page) == (True, True, False)
    every: list[typing.Any] = [client_link_pages.choose_words(text) for text in ("", "fr", "en", "en-US,ko;q=0.9")]
    assert {one["language"] for one in every} == {"en"}
