"""Applied configurations as values: their form on the disk, which are kept, what differs, and the way back."""

import dataclasses
import datetime
import zlib

import pytest

from daemun.control import history_port
from daemun.core.plan import change_plan
from daemun.sources.history import file_changes, hidden_secrets, history_entry, history_store, past_files

NOW = datetime.datetime(2026, 11, 30, 12, 0, tzinfo=datetime.UTC)
OLD = "crowdsec: {url: http://127.0.0.1:1, key: 'one'}  # ours\nsites:\n  a.test: http://a:1\n  b.test: http://b:1\n"
NEW = "crowdsec: {url: http://127.0.0.1:2, key: 'two'}\nsites:\n  b.test: http://b:2\n  c.test: http://c:1\n"


def entry_of(number: int, texts: dict[str, str], names: dict[str, str]) -> history_entry.HistoryEntry:
    files = []
    for name, one in hidden_secrets.mask_all({name: text.encode() for name, text in texts.items()}).items():
        assert one is not None
        secrets = (history_entry.HiddenSecret(name=names[kept.written], path=kept.path) for kept in one.secrets)
        files.append(history_entry.HistoryFile(name=name, text=one.text, secrets=tuple(secrets)))
    return history_entry.HistoryEntry(
        number=number,
        at=NOW,
        author=history_entry.Author(what="daemun add a.test", user="alice"),
        state=history_entry.EntryState.LIVE,
        generation=3,
        files=tuple(files),
        routes=(history_port.ContainerRoute(host="web.test", path="/", origin="container web-1"),),
        changes=("added a.test",),
    )


ENTRY = entry_of(7, {"daemun.yaml": OLD}, {"'one'": "7.1"})


def test_an_entry_comes_back_from_the_disk_without_secrets() -> None:
    content = history_entry.encode(ENTRY)
    assert history_entry.decode(content) == ENTRY
    assert b"'one'" not in zlib.decompress(content)


def test_an_entry_of_before_the_state_had_its_name() -> None:
    """Entries that were written until 2026-11-29."""
    content = zlib.decompress(history_entry.encode(ENTRY)).replace(b'"state": "live"', b'"came": "partly live"')
    found = history_entry.decode(zlib.compress(content))
    assert found == dataclasses.replace(ENTRY, state=history_entry.EntryState.PARTLY)


def test_why_somebody_changed_it() -> None:
    """Entries that were written until 2026-11-30 have no message."""
    said = dataclasses.replace(
        ENTRY, author=history_entry.Author(what="dashboard: draft", user="ann", message="a new shop")
    )
    assert history_entry.decode(history_entry.encode(said)) == said
    assert str(said.author) == "dashboard: draft (ann): a new shop"
    content = zlib.decompress(history_entry.encode(said)).replace(b', "message": "a new shop"', b"")
    found = history_entry.decode(zlib.compress(content))
    assert found.author == history_entry.Author(what="dashboard: draft", user="ann")


def test_keys_for_scripts_stay() -> None:
    assert history_entry.summary_json(ENTRY) == {
        "number": 7,
        "at": "2026-11-30T12:00:00Z",
        "by": "daemun add a.test",
        "user": "alice",
        "message": None,
        "state": "live",
        "reason": None,
        "generation": 3,
        "changes": ["added a.test"],
        "more_changes": 0,
        "files": ["daemun.yaml"],
        "can_be_restored": True,
        "is_whole": True,
    }


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        history_entry.encode(ENTRY)[:-5],
        zlib.compress(b"[]"),
        zlib.compress(b"{}"),
        zlib.compress(zlib.decompress(history_entry.encode(ENTRY)).replace(b'"at": "2026', b'"at": "x')),
        zlib.compress(zlib.decompress(history_entry.encode(ENTRY)).replace(b'"number": 7', b'"number": "7"')),
    ],
)
def test_a_damaged_entry_is_none(content: bytes) -> None:
    with pytest.raises((ValueError, LookupError, TypeError)):
        history_entry.decode(content)


def test_the_history_is_bounded() -> None:
    many = dict.fromkeys(range(1, history_store.MOST_ENTRIES + 4), 10)
    assert history_store.find_surplus(many, set()) == (1, 2, 3)
    assert history_store.find_surplus({1: history_store.MOST_BYTES, 2: 1, 3: 1}, set()) == (1,)
    assert history_store.find_surplus({1: 1, 2: 2 * history_store.MOST_BYTES}, set()) == (1,), "the newest stays"
    assert history_store.find_surplus({}, set()) == ()


def test_containers_push_no_edit_out() -> None:
    sizes = dict.fromkeys(range(1, 150), 1)
    gone = history_store.find_surplus(sizes, set(range(2, 150)))
    assert 1 not in gone
    assert len(gone) == 147 - history_store.MOST_OF_CONTAINERS
    assert gone[0] == 2


def changed(before: str, after: str) -> list[tuple[str, str, bool, tuple[str, ...]]]:
    found = file_changes.compare({"daemun.yaml": before}, {"daemun.yaml": after})
    return [(one.kind.value, one.name, one.is_site, one.lines) for one in found]


def test_what_differs_has_sites_first() -> None:
    assert changed(OLD, NEW) == [
        ("removed", "a.test", True, ("-   a.test: http://a:1",)),
        ("changed", "b.test", True, ("-   b.test: http://b:1", "+   b.test: http://b:2")),
        ("added", "c.test", True, ("+   c.test: http://c:1",)),
        (
            "changed",
            "crowdsec",
            False,
            (
                "- crowdsec: {url: http://127.0.0.1:1, key: 'one'}  # ours",
                "+ crowdsec: {url: http://127.0.0.1:2, key: 'two'}",
            ),
        ),
    ]
    assert changed(OLD, OLD) == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("", "sites:\n  a.test: x", [("added", "a.test", True)]),
        ("# one\nlisten: 80", "# two\nlisten: 80", [("changed", "daemun.yaml", False)]),
        ("sites: {a.test: x}", "sites: {a.test: y}", [("changed", "sites", False)]),
        ('sites:\n  "*.a.test": x', 'sites:\n  "*.a.test": y', [("changed", "*.a.test", True)]),
        ("x: [\n", "x: [", []),
    ],
)
def test_what_differs_of_texts_of_any_form(before: str, after: str, expected: list[tuple[str, str, bool]]) -> None:
    assert sorted(one[:3] for one in changed(before, after)) == sorted(expected)


def test_a_site_that_moves_to_another_file() -> None:
    site = "sites:\n  a.test: http://a:1"
    before = {"daemun.yaml": f"include: s/*.yaml\n{site}", "s/b.yaml": ""}
    after = {"daemun.yaml": "include: s/*.yaml\nsites: {}", "s/b.yaml": site}
    moved = next(one for one in file_changes.compare(before, after) if one.is_site)
    assert (moved.kind, moved.file) == (change_plan.ChangeKind.CHANGED, "s/b.yaml")
    assert moved.lines == ("  moved from daemun.yaml",)


def test_what_containers_requested_otherwise() -> None:
    other = history_port.ContainerRoute(host="web.test", path="/api/", origin="container api-1")
    after = dataclasses.replace(ENTRY, routes=(other,))
    assert file_changes.compare_routes(ENTRY, after) == (
        ("-", "web.test (container web-1)"),
        ("+", "web.test /api/ (container api-1)"),
    )


# --- the way back ----------------------------------------------------------------------------------------------


def find_past(entry: history_entry.HistoryEntry, present: str, names: dict[str, str]) -> past_files.RestorableFiles:
    return past_files.find_past(entry, hidden_secrets.mask_all({"daemun.yaml": present.encode()}), names)


def test_the_file_is_given_back_with_its_secrets() -> None:
    past = find_past(ENTRY, NEW.replace("two", "one"), {"'one'": "7.1"})
    assert past == past_files.RestorableFiles(files={"daemun.yaml": OLD.encode()})


def test_a_secret_is_known_though_it_stands_in_the_file_no_more() -> None:
    """The last version that could be applied has it."""
    assert find_past(ENTRY, "sites: [", {"'one'": "7.1"}).files == {"daemun.yaml": OLD.encode()}


def test_where_the_file_cannot_be_read_the_last_good_one_has_the_places() -> None:
    kept = hidden_secrets.mask_all({"daemun.yaml": NEW.encode()})
    past = past_files.find_past(ENTRY, {"daemun.yaml": None}, {}, kept)
    assert past.files["daemun.yaml"] == OLD.replace("one", "two").encode()


def test_another_secret_at_the_same_place_is_taken_and_named() -> None:
    past = find_past(ENTRY, NEW, {"'two'": "8.1"})
    assert past.files["daemun.yaml"] == OLD.replace("one", "two").encode()
    assert past.taken == ("daemun.yaml: crowdsec.key",)


def test_a_secret_that_is_nowhere_is_named() -> None:
    assert find_past(ENTRY, "sites: {}\n", {}).missing == ("daemun.yaml: crowdsec.key",)


def test_a_secret_in_a_comment_keeps_nobody_from_going_back() -> None:
    text = "# token: abcdef\nsites: {}\n"
    past = find_past(entry_of(1, {"daemun.yaml": text}, {"abcdef": "1.1"}), "sites: {}\n", {})
    assert past.files["daemun.yaml"] == b"# token: (not kept)\nsites: {}\n"
    assert past.blanks == ("daemun.yaml: # token:",)


def test_a_secret_of_now_that_would_be_lost_is_named() -> None:
    present = hidden_secrets.mask_all({"daemun.yaml": NEW.encode()})
    kept = past_files.RestorableFiles(files={"daemun.yaml": b"crowdsec: {url: x, key: 'two'}"})
    assert past_files.find_lost(present, kept) == ()
    assert past_files.find_lost(present, past_files.RestorableFiles(files={})) == ("daemun.yaml: crowdsec.key",)


def test_the_same_number_stands_for_the_same_secret() -> None:
    present = hidden_secrets.mask_all({"daemun.yaml": OLD.encode()})
    assert hidden_secrets.find_names(ENTRY, present) == {"'one'": "7.1"}
    assert hidden_secrets.find_names(ENTRY, hidden_secrets.mask_all({"daemun.yaml": NEW.encode()})) is None
    assert "(hidden 7.1)" in hidden_secrets.show_entry(ENTRY)["daemun.yaml"]
    assert "(hidden, new)" in hidden_secrets.show_files(present, {})["daemun.yaml"]
