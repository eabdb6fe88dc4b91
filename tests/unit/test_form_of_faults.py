"""K14: what is wrong with the form of the file and what breaks a rule is told in one form, with the site, the route,
the option, the line and the column. K10: a missing colon names its own line."""

import re

import pytest

from daemun.sources import yaml_file

FORM = re.compile(
    r'daemun\.yaml:(?P<line>[0-9]+):(?P<column>[0-9]+): site "(?P<site>[^"]+)"(, route "(?P<route>[^"]+)")?'
    r"(, (?P<option>[a-z_.]+))?: .+\Z"
)
HEAD = "sites:\n  a.test:\n    routes:\n"


def said(content: str) -> list[str]:
    return [
        str(problem) for problem in yaml_file.parse(content, file_name="daemun.yaml", base_dir="/etc/daemun").problems
    ]


@pytest.mark.parametrize(
    ("options", "place", "option"),
    [
        ("balance: foo", "4:29", "balance"),  # of the form
        ("balance: hash", "4:29", "balance"),  # a rule
        ("retries: two", "4:29", "retries"),
        ("retries: -1", "4:29", "retries"),
        ("timeout: soon", "4:29", "timeout.read"),
        ("timeout: {read: soon}", "4:36", "timeout.read"),
        ("timeout: {read: 0}", "4:36", "timeout.read"),
        ("health: {interval: x}", "4:39", "health.interval"),
        ("health: {interval: 9h}", "4:39", "health.interval"),
        ("max_body: lots", "4:30", "max_body"),
        ("request_headers: {X-A: [1]}", "4:42", "request_headers.X-A"),
        ("request_headers: {X-A: $x}", "4:42", "request_headers.X-A"),
        ("status: 302", "4:20", "status"),
        ("host_header: a/b", "4:33", "host_header"),
    ],
)
def test_of_a_route(options: str, place: str, option: str) -> None:
    """K14."""
    (line,) = said(f"{HEAD}      /: {{to: http://web, {options}}}\n")
    found = FORM.match(line.replace("X-A", "x"))
    assert found is not None, line
    assert found["site"] == "a.test"
    assert found["route"] == "/"
    assert (found["option"] or "").startswith(option.replace("X-A", "x").split(".")[0])
    assert found["line"] == place.split(":", maxsplit=1)[0]


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ("tls: of", "tls"),
        ("tls: {certificate: x}", "tls"),
        ("hsts: sure", "hsts"),
        ("hsts: {max_age: 99999d}", "hsts.max_age"),
        ("aliases: [a_b/c]", "aliases"),
        ("aliases: [5]", "aliases"),
        ("http: of", "http"),
        ("enabled: maybe", "enabled"),
        ("tls: off, http: redirect", "http"),
        ("nginx: '}'", "nginx"),
        ("tls: off, http: off", "http"),
        ("tls: off, hsts: true", "hsts"),
    ],
)
def test_of_a_site(options: str, option: str) -> None:
    """K14."""
    for line in said(f"sites:\n  a.test: {{{options}, routes: {{/: http://web}}}}\n"):
        found = FORM.match(line)
        assert found is not None, line
        assert (found["site"], found["route"], found["line"]) == ("a.test", None, "2")
        assert found["option"].startswith(option)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("sites:\n  a.test:\n    /: ftp://x\n", '3:8: site "a.test", route "/": target "ftp://x"'),
        ("sites:\n  a.test: ftp://x\n", '2:11: site "a.test": target "ftp://x"'),
        ("sites:\n  a.test:\n    /x: {max_body: 1g}\n", '3:5: site "a.test", route "/x": expected one of'),
        ("sites:\n  a.test:\n    /: {to: http://a, rety: 2}\n", '3:23: site "a.test", route "/": unknown key "rety"'),
        ("sites:\n  a.test: {x: 1, routes: {}}\n", '2:12: site "a.test": unknown key "x"'),
        ("sites:\n  a.test:\n    /: http://a\n    /: http://b\n", '4:5: site "a.test": duplicate key "/"'),
        ("listen: {http: 99999}\nsites: {}\n", "1:16: listen.http: port 99999"),
        ("listen: {http: x}\nsites: {}\n", "1:16: listen.http: expected a port"),
        ("logs: {keep: x}\nsites: {}\n", "1:14: logs.keep: expected a whole number"),
        ("logs: {keep: -1}\nsites: {}\n", "1:14: logs.keep: -1 is not between"),
    ],
)
def test_each_kind_of_fault(content: str, told: str) -> None:
    """K14."""
    assert any(line.startswith(f"daemun.yaml:{told}") for line in said(content)), said(content)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("sites:\n  a.test\n    /: http://x\n", '2:9: expected ":" after "a.test"'),
        ("sites\n  a.test: http://x\n", '1:6: expected ":" after "sites"'),
        ("sites:\n  a.test: http://x\n  b.test\n  c.test: http://y\n", '3:9: expected ":" after "b.test"'),
        ("sites:\n  a.test: http://x\n  b.test http://y\n", '3:9: expected ":" after "b.test"'),
        ("sites:\n  a.test http://x\n  b.test: http://y\n", '2:9: expected ":" after "a.test"'),
        ("sites:\n  a.test:\n    routes\n      /: http://x\n", '3:11: expected ":" after "routes"'),
        ("sites:\n  a.test:\n    / http://x\n    /b: http://y\n", '3:6: expected ":" after "/"'),
        ("sites:\n  a.test:\n    /: http://x\n    to http://x\nuser: x\n", '4:7: expected ":" after "to"'),
        ("listen\nsites:\n  a.test: http://x\n", '1:7: expected ":" after "listen"'),
        (
            "sites:\n  a.test: http://x\n\n# c\n  b.test\n\n  # d\n    /: http://y\n",
            '5:9: expected ":" after "b.test"',
        ),
        ("sites:\n  a.test:\n    http://x:80\n    /b: http://y\n", '3:5: expected a key before "http://x:80"'),
        ("sites:\n  a.test:http://x\n  b.test: http://y\n", '2:9: expected a space after the ":" of "a.test"'),
        ("sites:\n  a.test:http://x\n", 'a space is missing after the ":" of "a.test"'),
        ("acme:\n  email me@x.com\nsites: {}\n", 'a ":" is missing after "email"'),
        ("sites:\n  a.test: {/: http://x, /b http://y}\n", 'a ":" is missing after "/b"'),
        ("sites:\n  a.test: b: c\n", '2:12: unexpected ":"'),
    ],
)
def test_a_missing_colon(content: str, told: str) -> None:
    """K10."""
    (line, *_) = said(content)
    assert told in line
