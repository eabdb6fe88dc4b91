"""Copies of what is not served, as they are reported: only while that is so."""

import dataclasses
import datetime
import pathlib

import pytest

from daemun.fleet import configuration_values, followed_record
from daemun.store import memory_store

MAIN = configuration_values.MAIN
SHARED = b"sites: {a.test: http://a}\n"
OWN = b"node: {listen: {http: 80}}\n"


@pytest.mark.parametrize(("name", "key"), [("daemun.yaml", MAIN), ("sites/shop.yaml", "sites/shop.yaml")])
def test_a_copy_of_what_is_served_after_all_is_reported_no_more(tmp_path: pathlib.Path, name: str, key: str) -> None:
    record = followed_record.FollowedRecord(memory_store.MemoryStore())
    copy = tmp_path / "copy"
    copy.write_bytes(OWN + SHARED if key == MAIN else SHARED)
    kept = configuration_values.FileCopy(name=name, path=str(copy), cause="it was refused")
    record.add_copies([kept])
    files = {MAIN: b"sites: {}\n", "sites/shop.yaml": b"sites: {}\n"}
    assert record.list_copies(files) == record.list_copies() == (kept,)
    assert record.list_copies({**files, key: SHARED}) == ()
    copy.unlink()
    assert record.list_copies(files) == ()


def test_what_was_followed_is_read_as_it_was_written() -> None:
    store = memory_store.MemoryStore()
    record = followed_record.FollowedRecord(store)
    files = {MAIN: SHARED}
    at = datetime.datetime(2026, 11, 30, tzinfo=datetime.UTC)
    one = configuration_values.Revision(
        number=3, id="c", files=files, author="edit", node="a", at=at, before=("b", "a")
    )
    record.follow(one, files)
    known = record.read()
    assert known is not None and known.revision == one
    assert record.find_lost(None) == one
    assert record.find_lost(dataclasses.replace(one, number=2, id="b", before=("a",))) == one
    assert record.find_lost(dataclasses.replace(one, id="other", before=("b", "a"))) is None
    record.follow(one, {MAIN: b"a part of it\n"})
    assert record.find_lost(None) is None
