"""The addresses of names that the configuration holds, as lookups find them one after another."""

import ipaddress

from daemun.discovery import named_addresses


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
