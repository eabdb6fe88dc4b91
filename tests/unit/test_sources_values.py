"""Short texts become values, or an error that says what was found and what was expected."""

import hypothesis
import pytest
from hypothesis import strategies

from daemun.core import model, value_parsers
from daemun.core.texts import rules

S = model.Scheme


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("http://web", model.Target(scheme=S.HTTP, host="web", port=80)),
        ("http://Web:8080/", model.Target(scheme=S.HTTP, host="web", port=8080, path="/")),
        ("HTTPS://10.0.0.1/a/b", model.Target(scheme=S.HTTPS, host="10.0.0.1", port=443, path="/a/b")),
        ("http://[0:0::1]:81", model.Target(scheme=S.HTTP, host="::1", port=81)),
        ("http://[::1]", model.Target(scheme=S.HTTP, host="::1", port=80)),
        ("http://my_container:80", model.Target(scheme=S.HTTP, host="my_container", port=80)),
        ("http://한국.test", model.Target(scheme=S.HTTP, host="xn--3e0b707e.test", port=80)),
        ("h2://web", model.Target(scheme=S.H2, host="web", port=443)),
        ("h2c://web", model.Target(scheme=S.H2C, host="web", port=80)),
        ("grpcs://web", model.Target(scheme=S.GRPCS, host="web", port=443)),
        ("fastcgi://php", model.Target(scheme=S.FASTCGI, host="php", port=9000)),
        ("uwsgi://app", model.Target(scheme=S.UWSGI, host="app", port=3031)),
        ("scgi://app", model.Target(scheme=S.SCGI, host="app", port=4000)),
        ("memcached://cache", model.Target(scheme=S.MEMCACHED, host="cache", port=11211)),
        ("http://unix:/run/a.sock", model.Target(scheme=S.HTTP, socket="/run/a.sock")),
        ("http://unix:/run/a.sock:/x", model.Target(scheme=S.HTTP, socket="/run/a.sock", path="/x")),
        ("fastcgi://unix:/run/php.sock", model.Target(scheme=S.FASTCGI, socket="/run/php.sock")),
    ],
)
def test_targets(text: str, target: model.Target) -> None:
    assert value_parsers.parse_target(text) == target
    assert value_parsers.parse_target(str(target)) == target, "what is shown can be written again"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no scheme"),
        ("10.0.0.1:80", 'has no scheme; write "http://10.0.0.1:80"'),
        ("ftp://x", 'unknown scheme "ftp"'),
        ("htp://x", 'write "http://x"'),
        ("ws://chat:7777", 'write "http://chat:7777"'),
        ("wss://chat", 'write "https://chat"'),
        ("http://", "has no host"),
        ("http://:80", "has no host"),
        ("http:///x", "has no host"),
        ("http://a:", 'port "", which is not a number'),
        ("http://a:b", 'port "b", which is not a number'),
        ("http://a:80:90", 'port "80:90", which is not a number'),
        ("http://[::1", '"[IPv6]"'),
        ("http://[::1]80", '"[IPv6]"'),
        ("http://user:secret@a/", "holds credentials"),
        ("http://a/?x=1", "query or a fragment"),
        ("http://a#x", "query or a fragment"),
        ("http://927956aa.daemun/x/", "daemun itself makes"),
    ],
)
def test_bad_targets(text: str, words: str) -> None:
    with pytest.raises(ValueError, match="target") as caught:
        value_parsers.parse_target(text)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("30s", 30), ("5m", 300), ("1.5h", 5400), ("1d", 86400), ("2w", 1209600), ("500ms", 0.5), (7, 7), (0.5, 0.5)],
)
def test_durations(value: object, seconds: float) -> None:
    assert value_parsers.parse_duration(value) == seconds


@pytest.mark.parametrize("value", ["", "5", "5 parsecs", "-5s", True, None, [], float("inf"), float("nan")])
def test_bad_durations(value: object) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        value_parsers.parse_duration(value)


@pytest.mark.parametrize(
    ("value", "size"), [("10k", 10240), ("100M", 100 << 20), ("1g", 1 << 30), ("1gb", 1 << 30), ("7", 7), (0, 0)]
)
def test_sizes(value: object, size: int) -> None:
    assert value_parsers.parse_size(value) == size


@pytest.mark.parametrize("value", ["", "-1", "1.5g", "lots", True, None, 1.5])
def test_bad_sizes(value: object) -> None:
    with pytest.raises(ValueError, match="expected a size"):
        value_parsers.parse_size(value)


@pytest.mark.parametrize(
    ("value", "address"),
    [
        (80, model.Address(port=80)),
        ("80", model.Address(port=80)),
        ("*:80", model.Address(port=80)),
        ("127.0.0.1:8443", model.Address(port=8443, host="127.0.0.1")),
        ("[::]:443", model.Address(port=443, host="::")),
    ],
)
def test_addresses(value: object, address: model.Address) -> None:
    assert value_parsers.parse_address(value) == address


@pytest.mark.parametrize("value", ["", "a", ":80", "::1:80", "127.0.0.1:", "127.0.0.1", True, None, 80.0])
def test_bad_addresses(value: object) -> None:
    with pytest.raises(ValueError, match="expected a port"):
        value_parsers.parse_address(value)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("Shop.Example.COM.", "shop.example.com"),
        ("한국.kr", "xn--3e0b707e.kr"),
        ("*.한국.kr", "*.xn--3e0b707e.kr"),
        ("STRASSE.de", "strasse.de"),
        ("::1", "[::1]"),
        ("[0:0::1]", "[::1]"),
        ("10.0.0.1", "10.0.0.1"),
    ],
)
def test_hosts(text: str, host: str) -> None:
    assert value_parsers.parse_host(text) == host
    assert rules.check_host(host) is None


def test_a_host_without_an_idna_form() -> None:
    with pytest.raises(ValueError, match="is not a host name"):
        value_parsers.parse_host("한국..kr")


@hypothesis.given(strategies.text())
def test_any_text_parses_or_is_refused_in_words(text: str) -> None:
    for parse in (
        value_parsers.parse_target,
        value_parsers.parse_host,
        value_parsers.parse_duration,
        value_parsers.parse_size,
        value_parsers.parse_address,
    ):
        try:
            parse(text)
        except ValueError as error:
            assert str(error)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("💩.example.com", "xn--ls8h.example.com"),
        ("I❤️.example.com", "xn--i-7iq.example.com"),
        ("*.☕.example.com", "*.xn--53h.example.com"),
        ("☃.Example.com.", "xn--n3h.example.com"),
        ("büro💡.example.com", "xn--bro-hoa16605d.example.com"),
        ("BÜCHER.example.com", "xn--bcher-kva.example.com"),
        ("straße.example.com", "xn--strae-oqa.example.com"),
        ("日本。jp", "xn--wgv71a.jp"),
    ],
)
def test_c11_names_in_other_scripts_and_emoji_are_read_as_browsers_do(text: str, host: str) -> None:
    assert value_parsers.parse_host(text) == host
    assert rules.check_host(host) is None


@pytest.mark.parametrize("text", ["a\u202e.example.com", "💩 b.example.com", "ä-.example.com", "\u0308a.example.com"])
def test_c11_what_browsers_refuse_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a host name"):
        value_parsers.parse_host(text)
