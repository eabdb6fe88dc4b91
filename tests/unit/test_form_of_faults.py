"""K14: what is wrong with the form of the file and what breaks a rule is told in one form, with the site, the route,
the option, the line and the column. K10: a missing colon names its own line."""

import json
import re

import hypothesis
import pytest
from hypothesis import strategies

from daemun.core import value_parsers
from daemun.core.texts import quantity_rules, words
from daemun.sources import yaml_file, yaml_route, yaml_site, yaml_top

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
        ("security_headers: strickt", "security_headers"),
        ("robots: nofollow", "robots"),
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


@pytest.mark.parametrize(
    ("written", "cure"),
    [
        ("8080", "{http: 8080}"),
        ("[8080]", "{http: 8080}"),
        ("127.0.0.1:8080", '{http: "127.0.0.1:8080"}'),
        ("'[::1]:8080'", '{http: "[::1]:8080"}'),
    ],
)
def test_a_port_alone_is_told_what_to_write(written: str, cure: str) -> None:
    (line,) = said(f"listen: {written}\nsites: {{a.test: http://x}}\n")
    assert f"write `listen: {cure}`" in line
    assert not said(f"listen: {cure}\nsites: {{a.test: http://x}}\n")


@pytest.mark.parametrize("written", ["true", "[80, 81]", "http", "[]"])
def test_what_is_no_port_has_no_cure(written: str) -> None:
    (line,) = said(f"listen: {written}\nsites: {{a.test: http://x}}\n")
    assert "expected a map such as {http: 80, https: 443}" in line
    assert "write" not in line


@pytest.mark.parametrize(
    ("site", "told"),
    [
        ("/api http://x:1", 'a ":" is missing after "/api"'),
        ("/api:http://x:1", 'a space is missing after the ":" of "/api"'),
        ("/:http://x", 'a space is missing after the ":" of "/"'),
        ("/api   grpc://x", 'a ":" is missing after "/api"'),
    ],
)
def test_a_path_and_its_target_without_a_colon_or_a_space(site: str, told: str) -> None:
    (line,) = said(f"sites:\n  a.test:\n    {site}\n")
    assert told in line
    assert "unknown scheme" not in line


SLASHLESS = """\
sites:
  a.test:
    api: http://127.0.0.1:1
    web/: {to: http://127.0.0.1:1}
    /b: ftp://x
  c.test: ftp://y
  d.test:
    tls: lokal
    /: {to: http://x, timeot: 3}
"""


def test_a_path_without_a_slash_hides_no_other_mistake() -> None:
    for line, told in zip(
        said(SLASHLESS),
        [
            'daemun.yaml:3:5: site "a.test": path "api" must start with "/"; write "/api"',
            'daemun.yaml:4:5: site "a.test": path "web/" must start with "/"; write "/web/"',
            'daemun.yaml:5:9: site "a.test", route "/b": target "ftp://x"',
            'daemun.yaml:6:11: site "c.test": target "ftp://y"',
            'daemun.yaml:8:10: site "d.test", tls: expected',
            'daemun.yaml:9:5: site "d.test": path "/" stands beside option "tls"',
            'daemun.yaml:9:23: site "d.test", route "/": unknown key "timeot"',
        ],
        strict=True,
    ):
        assert line.startswith(told)


@pytest.mark.parametrize("key", ["api/", "stream/", "auth/", "health/", "files/v1", "^~ /api", "metrics/x"])
def test_a_key_with_a_slash_is_a_path_and_no_word_of_another_tool(key: str) -> None:
    (line,) = said(f"sites:\n  a.test:\n    {key}: http://127.0.0.1:1\n")
    path = key.rpartition(" ")[2]
    assert line.startswith(
        f'daemun.yaml:3:5: site "a.test": path "{key}" must start with "/"; write "/{path.lstrip("/")}"'
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("sites:\n  a.test: “http://127.0.0.1:9”\n", 'write "http://127.0.0.1:9"'),
        ("sites:\n  a.test: «http://127.0.0.1:9»\n", 'write "http://127.0.0.1:9"'),
        ("sites:\n\u00a0\u00a0a.test: http://127.0.0.1:9\n", "daemun.yaml:2:1: begins with the character U+00A0"),
        ("sites:\n  a.test:\n  \u2003/: http://127.0.0.1:9\n", "daemun.yaml:3:3: begins with the character U+2003"),
        ('listen: {http: "80:80"}\nsites: {a.test: "http://127.0.0.1:9"}\n', '"80" is not an IP address; write 80'),
        *(
            (f"sites: {{a.test: {{routes: {{/: {{to: 'https://x.test', verify: {word}}}}}}}}}\n", "; write false")
            for word in ("off", "none", "insecure", "No")
        ),
    ],
)
def test_what_was_pasted_or_is_another_tools_value_is_named(content: str, told: str) -> None:
    (line,) = said(content)
    assert told in line


def test_a_url_as_the_path_of_a_health_check_lacks_no_space() -> None:
    (line,) = said("sites: {a.test: {routes: {/: {to: 'http://x', health: 'http://x/h'}}}}\n")
    assert "a space is missing" not in line


@pytest.mark.parametrize(
    "content",
    [
        "sites:\n  a.test: http://x\nclient_max_body_size 10m;\nproxy_buffering off;\n",
        "sites:\n  a.test: http://x\n  add_header X-A b;\n",
        "sites:\n  a.test:\n    routes:\n      /: http://x\n    add_header X-A b;\n    add_header X-C d;\n",
        "server {\n  listen 80;\n  location / { proxy_pass http://x; }\n}\n",
    ],
)
def test_nginx_without_its_key_is_one_error(content: str) -> None:
    (line,) = said(content)
    assert "hand-written nginx stands below `nginx: |`" in line


def test_sites_without_their_key_are_one_error() -> None:
    (line,) = said("a.test: http://x\nb.test: {/: http://y}\nc.test: {routes: {/: http://z}}\nd.test: http://x\n")
    assert line.startswith('daemun.yaml:1:1: `sites:` is missing above "a.test", "b.test" and "c.test" and 1 more')
    first, second = said("a.test: http://x\nworkerss: 3\n")
    assert "`sites:` is missing" in first
    assert 'unknown key "workerss"' in second


@pytest.mark.parametrize("beside", ["", "include: sites/*.yaml\n"])
def test_sites_below_a_misspelt_key_or_none_are_one_error_also_beside_included_files(beside: str) -> None:
    """Beside `include` a file may have no `sites`: hosts without their key were left out in silence."""
    line = 1 + bool(beside)
    (stray,) = [one for one in said(f"{beside}a.test: http://x\n") if "a.test" in one or "sites`" in one]
    assert stray.startswith(f'daemun.yaml:{line}:1: `sites:` is missing above "a.test"')
    for slip in ("site", "Sites"):
        (told,) = [one for one in said(f"{beside}{slip}:\n  a.test: http://x\n") if "sites" in one and slip in one]
        assert told == f'daemun.yaml:{line}:1: unknown key "{slip}": did you mean "sites"?'


@pytest.mark.parametrize(
    "content",
    [
        "sites:\n  ${HOST}: http://x\n",
        "sites:\n  '${HOST}': {/: http://x}\n",
        "sites:\n  a.test: {'/${NAME:-x}': http://x}\n",
        "sites:\n  nginx: {routes: {'/${NAME}': http://x}}\n",
        "x-a: &a\n  ${HOST}: http://x\nsites:\n  <<: *a\n",
        "x-a: &a {'/${NAME}': http://x}\nsites:\n  a.test: {<<: *a}\n",
        "acme: {'${NAME}': 1}\nsites: {a.test: http://x}\n",
    ],
)
def test_l9_a_variable_in_a_key_is_refused(content: str) -> None:
    """And nothing further is said of the same text."""
    (line, *more) = said(content)
    assert "variables of the environment are not read in keys" in line
    assert not [other for other in more if "NAME" in other or "HOST" in other]


@pytest.mark.parametrize("text", ["a\x1b[31mb", '\n"\\\t', "\x7f\x85\u2028", "\ud800", "\U000e0001", "한국 \x00"])
def test_what_is_quoted_shows_on_a_terminal_and_is_escaped_once(text: str) -> None:
    shown = words.quoted(text)
    assert shown.isprintable()
    assert json.loads(shown) == text


def test_a_header_with_control_characters() -> None:
    headers = 'request_headers: {"X\\e[31m": a, "Y\\nZ": "\\a"}, response_headers: {"\\b": 1}'
    lines = said(f"sites: {{a.test: {{/: {{to: http://x, {headers}}}}}}}")
    assert len(lines) == 4
    for line in lines:
        assert line.isprintable()
        assert "\\\\" not in line


@pytest.mark.parametrize("key", ["hsts", "tls", "aliases", "enabled", "routes", "on_demand", "redirect_aliases"])
def test_an_option_of_a_site_at_the_top_is_sent_below_its_host(key: str) -> None:
    (line, *_) = said(f"{key}: x\nsites: {{a.test: http://x}}\n")
    assert line.startswith(
        f'daemun.yaml:1:1: unknown key "{key}" here: it is an option of a site; write it below the host'
    )


@pytest.mark.parametrize("kind", ["site", "route", "file", "server"])
def test_every_key_is_sent_to_where_it_is_known(kind: str) -> None:
    """A key that one of the four maps has and another has not."""
    keys = {
        "file": yaml_top.FILE.model_fields.keys(),
        "site": yaml_site.SITE.model_fields.keys(),
        "route": yaml_route.ROUTE.model_fields.keys(),
        "server": yaml_route.TargetEntry.model_fields.keys(),
    }
    files = {
        "file": "KEY: 1x\nsites: {a.test: http://x}\n",
        "site": "sites: {a.test: {KEY: 1x, routes: {/: http://x}}}\n",
        "route": "sites: {a.test: {routes: {/: {to: http://x, KEY: 1x}}}}\n",
        "server": "sites: {a.test: {routes: {/: {to: [{url: http://x, KEY: 1x}]}}}}\n",
    }
    homes = {"file": "belongs to the top", "site": "of a site", "route": "of a route", "server": "of a server"}
    for key in keys[kind]:
        for other in keys.keys() - {kind}:
            if key in keys[other] or key == "url":
                continue
            known = {homes[one] for one in keys if key in keys[one]}
            if key == "login" and other in {"site", "route"}:  # a group may have that name
                known = {"is a condition of `access`"}
            (message, *_) = [line for line in said(files[other].replace("KEY", key)) if "unknown key" in line]
            assert any(home in message for home in known), message


@pytest.mark.parametrize(
    "content", ["port: 80\nsites: {a.test: http://x}\n", "sites: {a.test: {port: 80, routes: {/: http://x}}}\n"]
)
def test_a_port_is_told_where_both_kinds_of_ports_stand(content: str) -> None:
    (line,) = said(content)
    assert "`/: http://127.0.0.1:3000`" in line
    assert "`listen: {http: 80, https: 443}` at the top" in line
    assert not said("listen: {http: 80, https: 443}\nsites: {a.test: {/: http://127.0.0.1:3000}}\n")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("sites: {a.test: {/: {to: http://x, hold: 2h}}}\n", "hold: 2h is not between 0s and 1h"),
        ("sites: {a.test: {/: {to: http://x, hold: 90m}}}\n", "hold: 90m is not between 0s and 1h"),
        ("sites: {a.test: {/: {to: http://x, timeout: 400d}}}\n", "timeout.read: 400d is not between 1ms and 366d"),
        ("sites: {a.test: {/: {to: http://x, health: {interval: 2h}}}}\n", "interval: 2h is not between 100ms and 1h"),
        ("sites: {a.test: {/: {to: http://x, max_body: 2000t}}}\n", "max_body: 2000t is not between 0 and 1024t"),
        ("old_workers: {memory: 1k}\nsites: {}\n", "old_workers.memory: 1k is not between 1m and 1024t"),
        ("old_workers: {wait: 1d}\nsites: {}\n", "old_workers.wait: 1d is not between 0s and 1h"),
    ],
)
def test_bounds_are_told_in_units(content: str, told: str) -> None:
    (line,) = said(content)
    assert line.endswith(told)


@hypothesis.given(strategies.integers(1, 10**9), strategies.sampled_from(["ms", "s", "m", "h", "d"]))
def test_a_duration_is_shown_as_it_can_be_written(number: int, unit: str) -> None:
    value_s = value_parsers.parse_duration(f"{number}{unit}")
    assert value_parsers.parse_duration(quantity_rules.show_duration(value_s)) == pytest.approx(value_s)


@hypothesis.given(strategies.integers(0, 1 << 50))
def test_a_size_is_shown_as_it_can_be_written(size: int) -> None:
    assert value_parsers.parse_size(quantity_rules.show_size(size) if size >= 1024 else size) == size
