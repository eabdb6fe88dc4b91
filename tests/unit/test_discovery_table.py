"""Services and their endpoints; addresses as names."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from daemun.discovery import service_table


def endpoint(address: str, port: int = 80, *, weight: int = 1, backup: bool = False) -> service_table.ServiceEndpoint:
    return service_table.ServiceEndpoint(address=ipaddress.ip_address(address), port=port, weight=weight, backup=backup)


def test_an_address_is_readable_in_its_name() -> None:
    assert service_table.name_of(ipaddress.ip_address("10.0.0.5")) == "a-10-0-0-5"
    assert service_table.name_of(ipaddress.ip_address("fd00::5")) == "a-fd000000000000000000000000000005"


@given(st.ip_addresses())
def test_an_address_survives_its_name(address: service_table.Address) -> None:
    name = service_table.name_of(address)
    assert len(name) <= 63
    assert service_table.address_of(name) == address


@given(st.text(max_size=40))
def test_only_names_of_addresses_have_one(text: str) -> None:
    for name in (text, "a-" + text):
        address = service_table.address_of(name)
        assert address is None or service_table.name_of(address) == name


def test_no_endpoints_are_not_the_same_as_an_unknown_service() -> None:
    table = service_table.Table()
    assert table.get("a.daemun") is None
    table.set("a.daemun", [])
    assert table.get("a.daemun") == (service_table.NOWHERE,)
    table.discard("a.daemun")
    table.discard("a.daemun")
    assert table.get("a.daemun") is None


def test_the_first_of_equal_servers_counts_and_the_order_stays() -> None:
    table = service_table.Table()
    first, second = endpoint("10.0.0.2", weight=3), endpoint("10.0.0.1")
    table.set("a.daemun", [first, second, endpoint("10.0.0.2", weight=9)])
    assert table.get("a.daemun") == (first, second)


def test_a_mark_changes_with_what_is_answered_and_no_other_does() -> None:
    table = service_table.Table()
    table.set("other.daemun", [endpoint("10.0.0.9")])
    other, marks = table.mark("other.daemun"), [table.mark("a.daemun")]
    for endpoints in ([endpoint("10.0.0.1")], [endpoint("10.0.0.1")], [endpoint("10.0.0.1", weight=2)], []):
        table.set("a.daemun", endpoints)
        marks.append(table.mark("a.daemun"))
    assert marks[1] == marks[2]
    assert len(set(marks)) == 4
    assert table.mark("other.daemun") == other


def test_the_mark_of_nothing_changes_when_a_service_comes_or_goes() -> None:
    table = service_table.Table()
    marks = [table.mark(None)]
    table.set("a.daemun", [])
    marks.append(table.mark(None))
    table.set("a.daemun", [endpoint("10.0.0.1")])
    table.discard("other.daemun")
    assert table.mark(None) == marks[-1]
    table.discard("a.daemun")
    assert len({*marks, table.mark(None)}) == 3
