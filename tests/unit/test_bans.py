"""Names of banned networks, as daemun and nginx's maps make them; decisions of CrowdSec."""

import datetime
import ipaddress
import json
import re

import hypothesis
import pytest
from hypothesis import strategies

from daemun.banning import crowdsec_stream
from daemun.core.access import banned_networks
from daemun.core.render import ban_lines

NOON = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)


def named_by_nginx(address: str) -> tuple[str, ...]:
    """The names that the maps give."""
    first = "-"
    for key, value in ban_lines._entries():
        match = re.match(key[1:].replace("(?<", "(?P<").replace(r"\z", r"\Z"), address)
        if match is not None:
            first = value.replace("$remote_addr", address)
            for name, text in match.groupdict().items():
                first = first.replace(f"${{{name}}}", text).replace(f"${name}", text)
            break
    found = [first]
    for _ in range(2):
        last = re.match(r"(.+)[.:][^.:]+\Z", found[-1])
        found.append(last[1] if last else "-")
    return tuple(found)


@hypothesis.given(strategies.ip_addresses(v=4) | strategies.ip_addresses(v=6))
@hypothesis.example(ipaddress.ip_address("::1"))
@hypothesis.example(ipaddress.ip_address("2001:db8::"))
@hypothesis.example(ipaddress.ip_address("0:0:0:5:1:1:1:1"))
@hypothesis.example(ipaddress.ip_address("0:0:5:5:1:1:1:1"))
@hypothesis.example(ipaddress.ip_address("2001:0:0:5:1:1:1:1"))
def test_nginx_and_daemun_name_alike(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if getattr(address, "ipv4_mapped", None) is not None:
        return
    lengths = banned_networks.LENGTHS[address.version]
    make = ipaddress.IPv4Network if address.version == 4 else ipaddress.IPv6Network
    networks = [make((int(address), length), strict=False) for length in lengths]
    assert named_by_nginx(address.compressed) == tuple(
        name for one in networks for name in banned_networks.find_names(one)
    )


def test_what_is_no_address_has_no_name() -> None:
    assert named_by_nginx("unix:") == ("-", "-", "-")


@pytest.mark.parametrize(
    ("text", "shown", "step", "number"),
    [
        ("203.0.113.7", "203.0.113.7", 1, 1),
        ("203.0.113.7/24", "203.0.113.0/24", 2, 1),
        ("203.0.113.0/25", "203.0.113.0/25", 1, 128),
        ("10.0.0.0/8", "10.0.0.0/8", 3, 256),
        ("2001:db8::1", "2001:db8::/64", 1, 1),
        ("2001:db8::/48", "2001:db8::/48", 2, 1),
        ("2001:db8::/30", "2001:db8::/30", 3, 4),
        ("::ffff:192.0.2.1", "192.0.2.1", 1, 1),
    ],
)
def test_networks(text: str, shown: str, step: int, number: int) -> None:
    network = banned_networks.parse(text)
    assert (banned_networks.show(network), banned_networks.find_step(network)) == (shown, step)
    assert len(set(banned_networks.find_names(network))) == number


@pytest.mark.parametrize("text", ["", "x", "0.0.0.0/0", "1.2.3.4/7", "::/0", "2001::/18", "1.2.3", "1.2.3.4/33"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"neither an address|too large"):
        banned_networks.parse(text)


def test_spared_addresses_are_left_out() -> None:
    spared = (*banned_networks.LOOPBACK, *banned_networks.widen(["10.1.2.3", "fd00::1"]))
    assert banned_networks.without(banned_networks.parse("127.0.0.1"), spared) == ()
    assert banned_networks.without(banned_networks.parse("::1"), spared) == ()
    assert banned_networks.without(banned_networks.parse("fd00::7"), spared) == ()
    names = {
        name
        for part in banned_networks.without(banned_networks.parse("10.1.0.0/16"), spared)
        for name in banned_networks.find_names(part)
    }
    assert "10.1.2.3" not in names
    assert {"10.1.2.2", "10.1.2.4", "10.1.3", "10.1.0"} <= names
    assert "10.1" not in names
    assert "10.1.2" not in names


def decision(value: str, **changes: object) -> dict[str, object]:
    return {
        "id": 1, "origin": "cscli", "type": "ban", "scope": "Ip", "value": value, "duration": "3h59m58.5s",
        "scenario": "crowdsecurity/ssh-bf", **changes,
    }  # fmt: skip


def parse(new: object, deleted: object = None, *, is_all: bool = False) -> crowdsec_stream.Changes:
    return crowdsec_stream.parse(json.dumps({"new": new, "deleted": deleted}).encode(), NOON, is_all=is_all)


def test_decisions() -> None:
    found = parse(
        [
            decision("203.0.113.7"),
            decision("203.0.113.0/24", scope="Range", duration="1m"),
            decision("KR", scope="Country"),
            decision("203.0.113.8", type="captcha"),
            decision("203.0.113.9", duration="-5s"),
            decision("203.0.113.9", duration="soon"),
            decision("nonsense"),
            "nonsense",
        ]
    )
    assert [(one.network, one.until) for one in found.new] == [
        ("203.0.113.7", NOON + datetime.timedelta(hours=3, minutes=59, seconds=58.5)),
        ("203.0.113.0/24", NOON + datetime.timedelta(minutes=1)),
    ]
    known = crowdsec_stream.merge({}, found)
    assert crowdsec_stream.merge(known, parse(None, [decision("203.0.113.7", duration="-1s")])).keys() == {
        "203.0.113.0/24"
    }
    assert crowdsec_stream.merge(known, parse(None, None)) == known
    assert crowdsec_stream.merge(known, parse(None, None, is_all=True)) == {}


@pytest.mark.parametrize("answer", [b"", b"[]", b"null", b'{"new": 1}', b"<html>", b'"x"'])
def test_another_server_than_crowdsec(answer: bytes) -> None:
    with pytest.raises(crowdsec_stream.StreamError, match="url"):
        crowdsec_stream.parse(answer, NOON, is_all=True)
