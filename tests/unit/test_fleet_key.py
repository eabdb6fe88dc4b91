"""The key of a fleet: what it encrypts is bound to its place, and old keys read what they wrote."""

import dataclasses

import pytest

from daemun import errors
from daemun.store import fleet_key

KEY = fleet_key.FleetKey(fleet="00" * 16, keys=((3, bytes(range(32))),))


def test_a_value_is_read_in_its_place_only() -> None:
    encrypted = KEY.encrypt("certs/a", b"secret")
    assert KEY.decrypt("certs/a", encrypted) == b"secret"
    assert b"secret" not in encrypted.content
    assert encrypted.key_id == 3
    assert KEY.encrypt("certs/a", b"secret").content != encrypted.content
    for name, key in (("certs/b", KEY), ("certs/a", dataclasses.replace(KEY, fleet="11" * 16))):
        with pytest.raises(errors.UnreadableValueError, match="another key 3"):
            key.decrypt(name, encrypted)


@pytest.mark.parametrize("content", [b"", b"short", bytes(12), bytes(28), bytes(100)])
def test_what_is_damaged_is_not_empty(content: bytes) -> None:
    with pytest.raises(errors.UnreadableValueError, match='cannot read "a"'):
        KEY.decrypt("a", fleet_key.EncryptedValue(content=content, key_id=3))


def test_a_new_key_reads_before_it_writes() -> None:
    old = KEY.encrypt("a", b"1")
    both = fleet_key.rotate(KEY)
    assert [number for number, _ in both.keys] == [3, 4]
    assert both.encrypt("a", b"2").key_id == 3
    moved = dataclasses.replace(both, keys=both.keys[::-1])
    new = moved.encrypt("a", b"3")
    assert new.key_id == 4
    assert [moved.decrypt("a", one) for one in (old, new)] == [b"1", b"3"]
    assert both.decrypt("a", new) == b"3"
    with pytest.raises(
        errors.UnreadableValueError, match=r"encrypted with key 4 of the fleet, and the file of .+ has 3"
    ):
        KEY.decrypt("a", new)


def test_its_file_is_written_and_read() -> None:
    key = fleet_key.rotate(fleet_key.make())
    text = fleet_key.encode(key)
    assert fleet_key.decode(f"# kept safe\n\n{text}", source="fleet.key") == key
    assert "keys" not in repr(key)


GOOD = fleet_key.encode(KEY)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", 'has 0 lines "fleet NAME" and 0 lines'),
        (GOOD.splitlines()[0], 'and 0 lines "key NUMBER KEY"'),
        (GOOD + GOOD.splitlines()[0], 'has 2 lines "fleet NAME"'),
        (GOOD + GOOD.splitlines()[1], "line 3 of"),
        (GOOD.replace("key 3", "key 0"), "line 2 of"),
        (GOOD.replace("key 3 AAE", "key 3 "), "line 2 of"),
        ("hunter2\n" + GOOD, "line 1 of"),
    ],
)
def test_another_file_is_refused_without_its_text(text: str, reason: str) -> None:
    with pytest.raises(errors.ConfigError, match=reason) as refused:
        fleet_key.decode(text, source="/etc/daemun/fleet.key")
    assert '"/etc/daemun/fleet.key"' in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert "AAEC" not in str(refused.value)


def test_a_signature_holds_for_its_name_text_and_fleet() -> None:
    signed = KEY.sign("node/a", "text")
    assert KEY.is_signed("node/a", "text", signed)
    both = fleet_key.rotate(KEY)
    assert both.is_signed("node/a", "text", signed)
    moved = dataclasses.replace(both, keys=both.keys[::-1])
    assert not KEY.is_signed("node/a", "text", moved.sign("node/a", "text"))
    other = dataclasses.replace(KEY, fleet="11" * 16)
    assert not other.is_signed("node/a", "text", signed)
    assert not KEY.is_signed("node/b", "text", signed)
    assert not KEY.is_signed("node/a", "texts", signed)
    for forged in ("", "3", "3:", ":", signed[:-1], f"4{signed[1:]}", "3:\u0663", "\u0663:0"):
        assert not KEY.is_signed("node/a", "text", forged)
