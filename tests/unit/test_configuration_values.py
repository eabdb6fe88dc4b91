"""What a fleet stores of its configuration, as it is read: hostile until parsed."""

import datetime
import json
import zlib

import pytest

from daemun import errors
from daemun.fleet import configuration_values, stored_configuration
from daemun.store import memory_store

AT = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)
REVISION = configuration_values.Revision(
    number=3,
    id="one",
    files={"": b"sites: {}\n", "sites/shop.yaml": b"\xff\n"},
    author="daemun add shop.test",
    user="anna",
    node="a",
    at=AT,
)


def test_values_are_read_as_they_were_written() -> None:
    roll = configuration_values.Roll(revision=REVISION, base="zero", order=("a", "b"), turn=1)
    report = configuration_values.NodeReport(
        node="b", id="one", state=configuration_values.ReportState.FAILED, cause="no"
    )
    refused = configuration_values.RefusedChange(
        number=3, id="one", author="x", node="a", at=AT, causes=(("b", "no"), ("c", "never"))
    )
    followed = configuration_values.FollowedRevision(
        number=3,
        id="one",
        files=REVISION.files,
        own=b"fleet: {}\n",
        copies=(configuration_values.FileCopy(name="daemun.yaml", path="/x", cause="no"),),
    )
    files = {"one": configuration_values.decode_files(configuration_values.encode_files(REVISION.files))}
    assert configuration_values.decode_revision(configuration_values.encode(REVISION), files.__getitem__) == REVISION
    assert configuration_values.decode_roll(configuration_values.encode(roll), files.__getitem__) == roll
    assert configuration_values.decode_report(configuration_values.encode(report)) == report
    assert configuration_values.decode_refused(configuration_values.encode(refused)) == refused
    assert configuration_values.decode_followed(configuration_values.encode(followed)) == followed
    assert refused.cause == "on b: no; on c: never"


def test_files_are_small_and_those_of_an_older_version_are_read() -> None:
    files = {"": b"".join(b"  site-%05d.example.com: http://10.0.0.1:8000\n" % number for number in range(10_000))}
    written = configuration_values.encode_files(files)
    assert len(written) < len(files[""]) / 5
    assert configuration_values.decode_files(written) == files
    assert configuration_values.decode_files(json.dumps({"": "sites: {}\n"}).encode()) == {"": b"sites: {}\n"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x78",
        b"none",
        zlib.compress(b"[]"),
        zlib.compress(b"[" * 100_000),
        zlib.compress(b"{}")[:-1],
        configuration_values.encode_files({"x": b""}),
    ],
)
def test_files_that_are_damaged_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"\A(?:expected|cannot)"):
        configuration_values.decode_files(content)


def test_files_that_grow_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration_values, "_MOST_BYTES", 1000)
    with pytest.raises(ValueError, match="too large"):
        configuration_values.decode_files(configuration_values.encode_files({"": b"x" * 1000}))


@pytest.mark.parametrize(
    "name", ["../up.yaml", "/etc/cron.d/x", ".hidden", "sites/../x", "a//b", "./a", "sites/.x.yaml", "a\nb", "sites/"]
)
def test_nothing_is_written_elsewhere(name: str) -> None:
    value = json.dumps({"": "sites: {}", name: "sites: {}"}).encode()
    with pytest.raises(ValueError, match="cannot be the name of an included file"):
        configuration_values.decode_files(value)


@pytest.mark.parametrize(
    ("key", "value"),
    [("number", 0), ("number", "1"), ("number", True), ("at", "2026-11-30T12:00:00"), ("id", None), ("id", "../x")],
)
def test_what_is_not_as_expected_is_refused(key: str, value: object) -> None:
    fields = json.loads(configuration_values.encode(REVISION)) | {key: value}
    with pytest.raises(ValueError):
        configuration_values.decode_revision(json.dumps(fields).encode(), lambda _: {})


@pytest.mark.parametrize(("order", "turn"), [([], -1), (["a", "a"], 0), (["a"], 1), (["a"], -2)])
def test_a_roll_has_nodes_and_a_turn(order: list[str], turn: int) -> None:
    fields = {"revision": json.loads(configuration_values.encode(REVISION)), "base": "", "order": order, "turn": turn}
    with pytest.raises(ValueError, match="expected nodes"):
        configuration_values.decode_roll(json.dumps(fields).encode(), lambda _: {})


def test_each_name_has_a_key() -> None:
    names = ["web-1", "web.1", "WEB-1", "web 1", "7", "é", "x" * 63]
    assert len({configuration_values.report_key(name) for name in names}) == len(names)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"[" * 200_000, b"\xff", b'{"number": [], "id": {}}'])
def test_a_damaged_copy_of_what_is_current_ends_no_start(content: bytes) -> None:
    """The node serves its files until it reads what is shared."""
    store = memory_store.MemoryStore()
    store.write(configuration_values.KEY_CURRENT, content)
    with pytest.raises(errors.UnreadableValueError):
        stored_configuration.StoredConfiguration(store, "a").find_known()
