"""What a lookup's answer is taken for, and how often hosts are looked up."""

import ipaddress
import socket

import pytest

from daemun.discovery import host_lookup


def answering(*addresses: str) -> host_lookup.Resolve:
    return lambda _host: addresses


def test_ipv4_comes_first_each_address_once_sorted() -> None:
    result = host_lookup.read(answering("fd00::2", "10.0.0.10", "10.0.0.9", "fd00::1", "10.0.0.9"), "web")
    assert [str(address) for address in result.addresses] == ["10.0.0.9", "10.0.0.10", "fd00::1", "fd00::2"]
    assert result.failure is None


def test_link_local_addresses_are_left_out() -> None:
    assert host_lookup.read(answering("fe80::1%eth0", "10.0.0.1"), "web").addresses == (
        ipaddress.ip_address("10.0.0.1"),
    )
    assert host_lookup.read(answering("fe80::1%eth0"), "web") == host_lookup.Result(
        failure="it has only link-local addresses"
    )


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "name or service not known"),
        (OSError("Network is down"), "network is down"),
        (UnicodeError("label empty or too long"), "label empty or too long"),
    ],
)
def test_a_failure_keeps_the_words_of_the_system(error: Exception, words: str) -> None:
    def fail(_host: str) -> list[str]:
        raise error

    assert host_lookup.read(fail, "web") == host_lookup.Result(failure=words)


def test_the_system_knows_localhost() -> None:
    assert ipaddress.ip_address("127.0.0.1") in host_lookup.read(host_lookup.system_addresses, "localhost").addresses


def test_a_name_no_resolver_can_take_is_a_failure() -> None:
    assert host_lookup.read(host_lookup.system_addresses, "x" * 64 + ".example").failure


@pytest.mark.parametrize(("hosts", "interval_s"), [(0, 2), (1, 2), (10, 2), (100, 20), (1000, 200)])
def test_many_hosts_are_looked_up_less_often_each(hosts: int, interval_s: float) -> None:
    assert host_lookup.refresh_interval_s(hosts) == interval_s
