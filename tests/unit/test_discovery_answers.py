"""Table and question -> answer."""

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemun.discovery import dns_answers, responder_sockets, service_table
from tests.unit.test_discovery_table import endpoint


@pytest.fixture
def table() -> service_table.Table:
    table = service_table.Table()
    table.set("web.daemun", [endpoint("10.0.0.5", 8080, weight=3), endpoint("fd00::5", 81, backup=True)])
    table.set("gone.daemun", [])
    table.set("big.daemun", [endpoint(f"10.0.1.{last}", 80) for last in range(100)])
    return table


def ask(
    table: service_table.Table, name: str, kind: str, *, rdclass: str = "IN", max_bytes: int = 512
) -> tuple[dns.message.Message, str | None]:
    query = dns.message.make_query(name, kind, rdclass)
    found = dns_answers.answer(table, query.to_wire(), max_bytes=max_bytes)
    assert found is not None
    response = dns.message.from_wire(found[0])
    assert query.is_response(response)
    return response, found[1]


def texts(response: dns.message.Message) -> list[str]:
    """Sorted: dnspython shuffles the records of a set when it writes them."""
    return sorted(line for rrset in response.answer for line in rrset.to_text().splitlines())


def test_a_service_is_answered_with_priority_weight_port_and_name(table: service_table.Table) -> None:
    response, service = ask(table, "_http._tcp.web.daemun", "SRV")
    assert service == "web.daemun"
    assert response.rcode() == dns.rcode.NOERROR
    assert response.flags & dns.flags.AA
    assert texts(response) == [
        "_http._tcp.web.daemun. 0 IN SRV 1 3 8080 a-10-0-0-5.ep.daemun.",
        "_http._tcp.web.daemun. 0 IN SRV 2 1 81 a-fd000000000000000000000000000005.ep.daemun.",
    ]


def test_a_service_without_endpoints_is_answered_with_one_that_refuses(table: service_table.Table) -> None:
    response, _ = ask(table, "_http._tcp.gone.daemun", "SRV")
    assert texts(response) == ["_http._tcp.gone.daemun. 0 IN SRV 1 1 0 a-127-0-0-1.ep.daemun."]


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("a-10-9-8-7.ep.daemun", "A", ["10.9.8.7"]),
        ("A-10-9-8-7.EP.Daemun", "A", ["10.9.8.7"]),
        ("a-10-9-8-7.ep.daemun", "AAAA", []),
        ("a-fd000000000000000000000000000005.ep.daemun", "AAAA", ["fd00::5"]),
        ("a-fd000000000000000000000000000005.ep.daemun", "A", []),
        ("_http._tcp.web.daemun", "A", []),
    ],
)
def test_addresses_are_read_from_their_names(
    table: service_table.Table, name: str, kind: str, expected: list[str]
) -> None:
    response, _ = ask(table, name, kind)
    assert response.rcode() == dns.rcode.NOERROR
    assert [line.split()[-1] for line in texts(response)] == expected
    assert {rrset.ttl for rrset in response.answer} <= {86400}


@pytest.mark.parametrize(
    ("name", "kind", "rdclass", "rcode"),
    [
        ("example.com", "A", "IN", dns.rcode.REFUSED),
        (".", "NS", "IN", dns.rcode.REFUSED),
        ("notdaemun", "A", "IN", dns.rcode.REFUSED),
        ("_http._tcp.web.daemun", "SRV", "CH", dns.rcode.REFUSED),
        ("daemun", "A", "IN", dns.rcode.NXDOMAIN),
        ("web.daemun", "A", "IN", dns.rcode.NXDOMAIN),
        ("a-10-0-0-256.ep.daemun", "A", "IN", dns.rcode.NXDOMAIN),
        ("ep.daemun", "A", "IN", dns.rcode.NXDOMAIN),
        ("_http._tcp.unknown.daemun", "SRV", "IN", dns.rcode.SERVFAIL),
        ("_http._tcp.daemun", "SRV", "IN", dns.rcode.SERVFAIL),
    ],
)
def test_what_is_not_here(
    table: service_table.Table, name: str, kind: str, rdclass: str, rcode: dns.rcode.Rcode
) -> None:
    response, service = ask(table, name, kind, rdclass=rdclass)
    assert response.rcode() == rcode
    assert response.answer == []
    assert service is None


def test_an_answer_that_does_not_fit_says_so(table: service_table.Table) -> None:
    cut, _ = ask(table, "_http._tcp.big.daemun", "SRV")
    assert cut.flags & dns.flags.TC
    whole, _ = ask(table, "_http._tcp.big.daemun", "SRV", max_bytes=responder_sockets.TCP_BYTES)
    assert not whole.flags & dns.flags.TC
    assert len(texts(whole)) == 100


def test_other_kinds_of_messages_are_not_supported(table: service_table.Table) -> None:
    notify = dns.message.make_query("web.daemun", "SOA")
    notify.set_opcode(dns.opcode.NOTIFY)
    found = dns_answers.answer(table, notify.to_wire(), max_bytes=512)
    assert found is not None
    assert dns.message.from_wire(found[0]).rcode() == dns.rcode.NOTIMP


def test_a_question_without_a_question_is_malformed(table: service_table.Table) -> None:
    empty = dns.message.Message(id=7)
    found = dns_answers.answer(table, empty.to_wire(), max_bytes=512)
    assert found is not None
    assert dns.message.from_wire(found[0]).rcode() == dns.rcode.FORMERR


def test_an_answer_is_never_answered(table: service_table.Table) -> None:
    response = dns.message.make_response(dns.message.make_query("_http._tcp.web.daemun", "SRV"))
    assert dns_answers.answer(table, response.to_wire(), max_bytes=512) is None


QUERY = dns.message.make_query("_http._tcp.web.daemun", "SRV", use_edns=0).to_wire()


@given(st.binary(max_size=600))
def test_noise_is_ignored_or_answered_but_never_fails(noise: bytes) -> None:
    found = dns_answers.answer(service_table.Table(), noise, max_bytes=512)
    assert found is None or found[0][:2] == noise[:2]


@given(st.lists(st.tuples(st.integers(2, len(QUERY) - 1), st.integers(0, 255)), max_size=8), st.integers(0, len(QUERY)))
def test_damaged_questions_never_fail(changes: list[tuple[int, int]], length: int) -> None:
    damaged = bytearray(QUERY)
    for place, value in changes:
        damaged[place] = value
    found = dns_answers.answer(service_table.Table(), bytes(damaged[:length]), max_bytes=512)
    assert found is None or len(found[0]) <= 512
