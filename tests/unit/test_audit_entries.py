"""Lines of the audit log: whole, bounded, and without secrets."""

import dataclasses
import datetime
import json

import pytest

from daemun.core.access import access_tokens, audit_entries, operator_sessions
from daemun.core.access.audit_entries import AuditEntry

ENTRY = AuditEntry(
    at=datetime.datetime(2026, 11, 30, 9, 10, 11, tzinfo=datetime.UTC),
    who="alice",
    role="change",
    how="login",
    address="192.0.2.7",
    method="PUT",
    path="/api/v1/sites/shop.example.com",
    summary="Change a site",
    target="shop.example.com",
    before="41",
    after="42",
    status=200,
)


def full_of(text: str) -> AuditEntry:
    return dataclasses.replace(ENTRY, **dict.fromkeys(audit_entries._TEXTS, text))  # type: ignore[arg-type]


def test_a_line_is_what_was_noted() -> None:
    line = audit_entries.encode(ENTRY)
    assert json.loads(line)["at"] == "2026-11-30T09:10:11Z"
    assert audit_entries.decode(line) == ENTRY


@pytest.mark.parametrize("text", ["a\nb\r\x00\x1b[31m", "é \u2028 \ud800", '"},{"'])
def test_any_text_stays_on_one_line(text: str) -> None:
    line = audit_entries.encode(full_of(text))
    assert len(line.splitlines()) == 1
    found = audit_entries.decode(line)
    assert found is not None and found.who == found.after == text.replace("\ud800", r"\ud800")


def test_half_a_character_of_an_earlier_daemun_can_be_sent() -> None:
    line = audit_entries.encode(full_of("x")).replace(b'"x"', rb'"\ud800"')
    found = audit_entries.decode(line)
    assert found is not None and found.target.encode() == rb"\ud800"


@pytest.mark.parametrize("prefix", [operator_sessions.PREFIX, access_tokens.PREFIX, "daemun_api_"])
@pytest.mark.parametrize("length", [0, 280, 1990])
def test_no_secret_of_daemuns_is_written(prefix: str, length: int) -> None:
    secret = prefix + "Ab-_" * 10 + "xyz"
    text = "x" * length + f" {secret}, {secret}"
    line = audit_entries.encode(full_of(text))
    assert b"Ab-_" not in line


def test_what_is_long_is_cut() -> None:
    text = "é" * 1_000_000
    line = audit_entries.encode(full_of(text))
    assert len(line) < 20_000
    assert "(1000000 characters)" in line.decode()


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b"{}", b"null", b"\xff", b"[" * 100_000, audit_entries.encode(ENTRY)[:-20]]
)
def test_what_is_no_entry_is_none(line: bytes) -> None:
    assert audit_entries.decode(line) is None


@pytest.mark.parametrize("length", [0, 280, 295, 1990, 5000])
@pytest.mark.parametrize(
    "secret", ["http://me:S3cret@host", f"http://me:{'S3cret' * 100}@host", "shop.test/x?token=S3cret"]
)
def test_no_secret_in_a_url_is_written_nor_read(secret: str, length: int) -> None:
    entry = full_of("x" * length + f" {secret}")
    assert b"S3cret" not in audit_entries.encode(entry)
    # Lines that an earlier version wrote.
    value = {**json.loads(audit_entries.encode(entry)), "target": secret}
    found = audit_entries.decode(json.dumps(value).encode())
    assert found is not None and "(hidden)" in found.target and "S3cret" not in found.target
