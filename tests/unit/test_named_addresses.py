"""The addresses of names that the configuration holds, as lookups find them one after another."""

import ipaddress

from daemun.core.access import access_levels
from daemun.core.rounds import merge
from daemun.discovery import named_addresses
from daemun.sources import yaml_file


class Time:
    def __init__(self) -> None:
        self.value = 1000.0
        self.changes = 0

    def now(self) -> float:
        return self.value

    def note(self) -> None:
        self.changes += 1


def following(time: Time, *names: str) -> named_addresses.NamedAddresses:
    made = named_addresses.NamedAddresses(now=time.now, changed=time.note)
    assert made.follow(names) == tuple(sorted(names))
    return made


def found(*addresses: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, ...]:
    return tuple(map(ipaddress.ip_address, addresses))


def test_a_name_that_moved_has_its_former_address_for_a_while() -> None:
    time = Time()
    home = following(time, "home.example.org")
    assert home.find() == {"home.example.org": ()}
    home.note("home.example.org", found("203.0.113.7"))
    home.note("home.example.org", found("203.0.113.7"))
    assert time.changes == 1
    home.note("home.example.org", found("203.0.113.9"))
    assert home.find() == {"home.example.org": ("203.0.113.7", "203.0.113.9")}
    time.value += named_addresses.KEPT_S
    home.note("home.example.org", found("203.0.113.9"))
    assert home.find() == {"home.example.org": ("203.0.113.9",)}
    assert time.changes == 3


def test_answers_in_turn_are_no_change_each() -> None:
    time = Time()
    pool = following(time, "pool.example.org")
    for number in range(40):
        pool.note("pool.example.org", found(f"203.0.113.{number % 4}"))
        time.value += 20
    assert time.changes == 4
    assert len(pool.find()["pool.example.org"]) == 4


def test_a_lookup_that_fails_changes_nothing() -> None:
    time = Time()
    home = following(time, "home.example.org")
    home.note("home.example.org", found("2001:db8::7"))
    time.value += 10 * named_addresses.KEPT_S
    home.note("home.example.org", ())
    assert home.find() == {"home.example.org": ("2001:db8::7",)}


def test_no_name_has_more_than_so_many() -> None:
    time = Time()
    large = following(time, "large.example.org")
    large.note("large.example.org", found(*(f"203.0.113.{number}" for number in range(200))))
    assert len(large.find()["large.example.org"]) == named_addresses.MOST


def test_names_that_are_not_followed_any_more_are_forgotten() -> None:
    time = Time()
    some = following(time, "a.example.org", "b.example.org")
    some.note("a.example.org", found("203.0.113.7"))
    assert some.follow({"b.example.org", "c.example.org"}) == ("c.example.org",)
    some.note("a.example.org", found("203.0.113.8"))
    assert some.find() == {"b.example.org": (), "c.example.org": ()}


def test_each_name_is_known_with_the_first_place_that_has_it() -> None:
    text = (
        "access: {deny: [far.example.org]}\nsites:\n"
        "  a.test: {access: {allow: [private, home.example.org]}, routes: {/: http://127.0.0.1:1}}\n"
        "  b.test:\n    /: http://127.0.0.1:1\n"
        "    /x/: {to: http://127.0.0.1:1, access: {allow: [home.example.org], deny: [bad.example.org]}}\n"
        "    /y/: [{when: {method: POST}, to: http://127.0.0.1:1, access: {allow: [later.example.org]}}]\n"
        "  c.test: {access: {allow: [off.example.org]}, enabled: false, routes: {/: http://127.0.0.1:1}}\n"
    )
    snapshot = yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc")
    found = access_levels.find_names(merge.merge_snapshots([snapshot]))
    assert {name: (str(one.origin), one.host, one.field) for name, one in found.items()} == {
        "far.example.org": ("default", None, ("access", "deny")),
        "home.example.org": ("daemun.yaml:3:3", "a.test", ("access", "allow")),
        "bad.example.org": ("daemun.yaml:6:5", "b.test", ("routes", "/x/", "access", "deny")),
        "later.example.org": ("daemun.yaml:7:11", "b.test", ("routes", "/y/", 0, "access", "allow")),
    }
