"""Lists of routes in daemun.yaml: how they are read, what is wrong with them, what is warned of, and how commands edit
beside them."""

import pathlib
import re

import hypothesis
import pytest
from hypothesis import strategies

from daemun.core import model
from daemun.core.options import when_option
from daemun.core.render import route_choice
from daemun.core.texts import value_patterns
from daemun.errors import ConfigError
from daemun.sources import yaml_edit, yaml_file


def parse(routes: str, more: str = "") -> model.Snapshot:
    text = f"sites:\n  a.test:\n    routes:\n      /:\n{routes}\n{more}"
    return yaml_file.parse(text, file_name="daemun.yaml", base_dir="/srv")


def entries(*routes: str) -> str:
    return "\n".join(f"        - {route}" for route in routes)


def test_each_route_knows_its_place() -> None:
    snapshot = parse(entries("{when: {method: POST}, to: 'http://a'}", "http://b"))
    assert not snapshot.problems
    first, second = snapshot.sites[0].routes
    assert (first.name, second.name) == ("/ #1", "/ #2")
    assert when_option.OPTION.of(first) == when_option.When(method=("POST",))
    assert when_option.OPTION.of(second) is None
    assert second.origin.place == "daemun.yaml:6:11"


def test_a_route_alone_may_be_for_some_requests() -> None:
    (route,) = (
        yaml_file.parse(
            "sites: {a.test: {/: {when: {method: POST}, to: 'http://a'}}}", file_name="daemun.yaml", base_dir="/srv"
        )
        .sites[0]
        .routes
    )
    assert route.entry == 0


def test_what_conditions_become() -> None:
    when = (
        "{header: {X: [a, 1], Y: true, Z: false}, query: {q: 7}, cookie: {c: '*'}, country: [KR, no],"
        " probability: 2.5%, address: [private]}"
    )
    snapshot = parse(
        entries(f"{{when: {when}, to: 'http://a'}}"),
        "access: {countries: {database: /db.mmdb, allow: [KR]}}",
    )
    assert not snapshot.problems
    value = when_option.OPTION.of(snapshot.sites[0].routes[0])
    assert value == when_option.When(
        header=(
            when_option.NamedValue(name="X", patterns=("a", "1")),
            when_option.NamedValue(name="Y"),
            when_option.NamedValue(name="Z", is_absent=True),
        ),
        query=(when_option.NamedValue(name="q", patterns=("7",)),),
        cookie=(when_option.NamedValue(name="c", patterns=("*",)),),
        country=when_option.InCountries(any_of=("KR", "NO")),
        probability=250,
        address=("private",),
    )
    assert when_option.describe(value) == (
        'header X: "a" or "1", header Y, no header Z, query q: "7", cookie c: "*", address private, country KR or NO, '
        "probability 2.5%"
    )


@pytest.mark.parametrize(
    ("when", "cause"),
    [
        ("{}", "found an empty map; a route for all requests has no `when`"),
        ("", "found nothing; a route for all requests has no `when`"),
        ("{methods: GET}", 'unknown key "methods"'),
        ("{method: get}", 'is no method of HTTP such as GET or POST; write "GET"'),
        ("{header: {X: 1.5}}", 'write "1.5"'),
        ("{header: {X: []}}", "`true` is any value, and `false` none"),
        ("{header: {X: [true]}}", "expected a text, a list of texts"),
        ("{header: {X_Y: a}}", '"X_Y" is no name: expected 1 to 64 letters, digits and hyphens'),
        ("{header: {X: a, x: b}}", '"x" is named twice'),
        ("{header: {X: ''}}", "is empty; expected a text, `true` for any value"),
        ("{header: {X: '~ (a+)+'}}", "repeats a repetition"),
        ("{header: {X: '~ .*a.*b.*c'}}", "parts of any length"),
        ("{header: {X: '~ ^(a)'}}", 'write "~ ^(?:a)"'),
        ("{header: {X: '*a*a*a*a*a*a*a*a*'}}", "holds 9 stars, at most 8"),
        ("{header: {X: '%s'}}" % ("x" * 129), "is too long: 129 bytes, at most 128"),
        ("{header: Accept}", "expected a map of names"),
        ("{query: {'a&b': 1}}", "is no name"),
        ("{cookie: {'a;b': 1}}", "is no name"),
        ("{address: home}", "when.address"),
        ("{probability: 5}", "write 5%"),
        ("{probability: 0.05}", "write 5%"),
        ("{probability: 0%}", "is not between 0.01% and 100%"),
        ("{probability: 101%}", "is not between 0.01% and 100%"),
        ("{country: UK}", "write GB"),
        ("{country: Korea}", "expected a country (KR)"),
        ("{country: {any_of: [], database: x.mmdb}}", "names no country"),
    ],
)
def test_what_is_wrong(when: str, cause: str) -> None:
    problems = parse(entries(f"{{when: {when}, to: 'http://a'}}", "http://b")).problems
    errors = [one.message for one in problems if one.severity is model.Severity.ERROR]
    assert any(cause in message for message in errors), errors
    assert all('route "/ #1", when' in message for message in errors)


POST = "{when: {method: POST}, to: 'http://a'}"


@pytest.mark.parametrize(
    ("written", "cure"),
    [
        (
            "[{when: {method: POST}, to: http://a}, http://b]",
            "write `{/: [{when: {method: POST}, to: http://a}, http://b]}`",
        ),
        (
            "{/: [{method: POST, to: http://a}, http://b]}",
            'unknown key "method" here: it is a condition; write `when: {method: POST}`',
        ),
        ("{/: [{to: http://a, header: {X: '*a'}}, http://b]}", "write `when: {header: {X: '*a'}}`"),
    ],
)
def test_what_was_meant(written: str, cure: str) -> None:
    text = f"sites: {{a.test: {written}}}"
    messages = [one.message for one in yaml_file.parse(text, file_name="daemun.yaml", base_dir="/srv").problems]
    assert any(cure in message for message in messages), messages


def test_php_shares_no_path_below_the_root() -> None:
    def find(path: str) -> list[str]:
        text = f"sites: {{a.test: {{{path}: [{POST}, {{php: {{socket: 'unix:/run/php.sock'}}}}]}}}}"
        problems = yaml_file.parse(text, file_name="daemun.yaml", base_dir="/srv").problems
        return [one.message for one in problems if one.severity is model.Severity.ERROR]

    assert not find("/")
    assert "runs PHP" in find("/app/")[0]


@pytest.mark.parametrize(
    ("routes", "cause"),
    [
        (("http://a", "http://b"), "write `{to: [http://a, http://b]}`"),
        ((POST, "{to: 'http://b', access: {allow: [private]}}"), '"/ #2" has: a visitor chooses between them'),
        ((POST, "{files: /srv, listing: true}"), "shows lists of folders"),
        ((POST, "{to: 'http://b', nginx: 'location /x { deny all; }'}"), "has `location` in its `nginx:`"),
        ((POST, "{too: 'http://b'}"), 'unknown key "too"'),
        ((POST,) * 51, "leads to 51 routes, at most 50"),
        ((POST, "{to: 'ftp://b'}"), "ftp"),
    ],
)
def test_what_is_wrong_with_a_list(routes: tuple[str, ...], cause: str) -> None:
    errors = [one.message for one in parse(entries(*routes)).problems if one.severity is model.Severity.ERROR]
    assert any(cause in message for message in errors), errors


@pytest.mark.parametrize("size", ["1k", "0", "20M"])
def test_the_size_of_bodies_is_an_option_of_each_route(size: str) -> None:
    """nginx compares it before it knows the route."""
    (problem,) = parse(entries(POST, f"{{to: 'http://b', nginx: 'client_max_body_size {size};'}}")).problems
    assert 'route "/ #2": has `client_max_body_size` in its `nginx:`, which does not hold' in problem.message
    assert f"; write `max_body: {size}` in the route in its place" in problem.message
    assert not parse(entries(POST, f"{{to: 'http://b', max_body: {size}}}")).problems


def test_a_country_needs_a_database() -> None:
    (problem,) = parse(entries("{when: {country: KR}, to: 'http://a'}")).problems
    assert "needs a database; write `country: {any_of: [KR], database: FILE.mmdb}`" in problem.message


def test_guards_that_are_written_out_are_good() -> None:
    routes = (
        "{when: {method: POST}, to: 'http://a', access: public}",
        "{when: {method: PUT}, deny: true}",
        "{to: 'http://b', access: {allow: [private]}}",
    )
    assert not parse(entries(*routes)).problems


GUARDED = "{when: {header: {X-A: y}}, to: 'http://a', access: {allow: [10.0.0.0/8]}}"
CERTIFICATES = "client_certificates: {ca: local, require: false}"


@pytest.mark.parametrize(
    "access", ["rate_limit: 10/s", "connections: 5", CERTIFICATES, f"rate_limit: 5/s, {CERTIFICATES}"]
)
def test_what_refuses_nobody_is_no_guard(access: str) -> None:
    def find(more: str) -> list[str]:
        return [one.message for one in parse(entries(GUARDED, f"{{to: 'http://b', access: {{{more}}}}}")).problems]

    (message,) = find(access)
    assert 'route "/ #2": has no condition in its `access`, and "/ #1" has: a visitor chooses' in message
    assert "or `allow: public` in its `access` if it is meant" in message
    assert not find(f"allow: public, {access}")
    assert not find(f"allow: [10.0.0.0/8], {access}")


@pytest.mark.parametrize(("access", "is_open"), [("rate_limit: 10/s", False), (CERTIFICATES, True), (None, False)])
def test_what_opens_a_route_of_a_guarded_site(access: str | None, *, is_open: bool) -> None:
    routes = entries(GUARDED, "http://b" if access is None else f"{{to: 'http://b', access: {{{access}}}}}")
    snapshot = yaml_file.parse(
        f"access: {{allow: [192.0.2.0/24]}}\nsites:\n  a.test:\n    routes:\n      /:\n{routes}\n",
        file_name="daemun.yaml",
        base_dir="/srv",
    )
    assert bool(snapshot.problems) is is_open


def test_what_the_site_guards_needs_no_word() -> None:
    routes = entries(POST, "{to: 'http://b', access: {allow: [private]}}")
    snapshot = yaml_file.parse(
        f"sites:\n  a.test:\n    access: {{allow: [192.0.2.0/24]}}\n    routes:\n      /:\n{routes}\n",
        file_name="daemun.yaml",
        base_dir="/srv",
    )
    assert not snapshot.problems


# --- what can never be reached -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("earlier", "later", "is_covered"),
    [
        (None, "{method: GET}", True),
        (None, None, True),
        ("{method: GET}", None, False),
        ("{probability: 100%}", None, True),
        ("{probability: 99%}", "{probability: 1%}", False),
        ("{method: [GET, POST]}", "{method: POST}", True),
        ("{method: POST}", "{method: [GET, POST]}", False),
        ("{method: POST}", "{method: POST, header: {X: a}}", True),
        ("{method: POST, header: {X: a}}", "{method: POST}", False),
        ("{header: {X: true}}", "{header: {x: a}}", True),
        ("{header: {X: true}}", "{header: {X: false}}", False),
        ("{header: {X: [a, b]}}", "{header: {X: a}}", True),
        ("{header: {X: a}}", "{header: {X: true}}", False),
        ("{cookie: {X: true}}", "{cookie: {x: a}}", False),
        ("{query: {a: false}}", "{query: {a: false}, method: GET}", True),
        ("{address: [private]}", "{address: [private], method: GET}", True),
        ("{country: {any_of: [KR, DE], database: a.mmdb}}", "{country: {any_of: KR, database: a.mmdb}}", True),
        ("{country: {any_of: [KR, DE], database: a.mmdb}}", "{country: {any_of: KR, database: b.mmdb}}", False),
    ],
)
def test_what_can_never_be_reached(earlier: str | None, later: str | None, *, is_covered: bool) -> None:
    def route(when: str | None) -> str:
        return "http://a" if when is None else f"{{when: {when}, to: 'http://a'}}"

    problems = parse(entries(route(earlier), route(later), POST) if earlier or later else "").problems
    if earlier is None and later is None:
        problems = parse(entries("http://a", POST)).problems
    warned = [one for one in problems if 'route "/ #2": can never be reached: "/ #1" comes before it' in one.message]
    assert bool(warned) is is_covered
    assert all(one.severity is model.Severity.WARNING for one in warned)


@pytest.mark.parametrize(
    ("expression", "prefix", "better"),
    [
        ("~ ^/[cl]ool", "/cool/adminws", "~ ^/cool/adminws"),
        ("~* /API", "/v1.0/api/", r"~ ^/v1\\.0/api/"),
        ("~ ^/[cl]ool", "/cool", "~ ^/cool"),
    ],
)
def test_a_prefix_that_an_expression_takes_whole_is_told(expression: str, prefix: str, better: str) -> None:
    text = f'sites: {{a.test: {{/: http://a, "{expression}": http://b, {prefix}: http://c}}}}\n'
    (warned,) = yaml_file.parse(text, file_name="f", base_dir="/").problems
    assert (
        f'route "{prefix}": can never be reached: "{expression}" takes its requests before prefixes' in warned.message
    )
    assert warned.message.endswith(f'write it as the expression "{better}" above that')


@pytest.mark.parametrize("expression", ["~ ^/cool/.*/ws$", "~ ^/cool$", "~ ^/cool(?!/adminws)", "~ ^/Cool", "*.ws"])
def test_a_prefix_of_which_something_is_left_is_not_told(expression: str) -> None:
    text = f'sites: {{a.test: {{/: http://a, "{expression}": http://b, /cool/adminws: http://c}}}}\n'
    assert yaml_file.parse(text, file_name="f", base_dir="/").problems == ()


@pytest.mark.parametrize("expression", ["~ (", "~ ^/api/(?<!x)y", "~ ^/(?<n>x)(?<n>y)", "~ ^/x{5,1}", "~ ^/(?:a+)+b"])
@pytest.mark.parametrize("more", ["{to: http://c, access: {allow: [private]}}", "http://c", "{redirect: /api/x}"])
def test_an_expression_that_is_refused_is_only_that_beside_other_routes(expression: str, more: str) -> None:
    path = f"/{'a' * 40}/"
    text = f'sites: {{a.test: {{"{expression}": http://b, /api/: {more}, {path}: {more}}}}}\n'
    problems = yaml_file.parse(text, file_name="f", base_dir="/").problems
    assert any(f'route "{expression}"' in one.message for one in problems), problems
    assert not any("can never be reached" in one.message for one in problems)


# --- patterns and sizes ------------------------------------------------------------------------------------------


def _matches(text: str, value: str, *, is_encoded: bool = False) -> bool:
    key = value_patterns.written(text, is_encoded=is_encoded)
    pattern = key.removeprefix("~*").removeprefix("~").replace("\\z", "\\Z")
    return re.search(pattern, value, re.IGNORECASE if key.startswith("~*") else 0) is not None


@hypothesis.given(strategies.text(alphabet="ab*.", min_size=1, max_size=9), strategies.text(alphabet="ab.", max_size=9))
def test_stars_stand_for_any_characters(text: str, value: str) -> None:
    if value_patterns.check(text) is None:
        plain = re.fullmatch(".*".join(map(re.escape, text.split("*"))), value) is not None
        assert _matches(text, value) is plain
        assert _matches(text, value, is_encoded=True) is plain


def test_a_pattern_takes_no_time() -> None:
    """With anything that a header can hold: the number of steps grows with its length, and no faster."""
    assert not _matches("*" + "a*" * 7 + "b", "a" * 8000)


@pytest.mark.parametrize("text", ["가" * 42, "~" * 128, "\\" * 128, "'\"" * 64, "k" * 128, "a$b{c};d"])
def test_the_longest_pattern_is_a_word_for_nginx(text: str) -> None:
    assert value_patterns.check(text) is None
    assert len(value_patterns.written(text, is_encoded=True).encode()) < 3900


@hypothesis.given(strategies.integers(1, 10**12), strategies.integers(0, 10**12))
def test_numbers_beyond_another_one(most: int, size: int) -> None:
    pattern = route_choice._larger(most).replace("\\z", "\\Z")
    for found in (size, most - 1, most, most + 1, most * 10):
        assert (re.search(pattern, str(found)) is not None) is (found > most)


# --- edits -------------------------------------------------------------------------------------------------------

FILE = """\
sites:
  a.test:
    # the list
    /:
      - {when: {method: POST}, to: "http://a"}   # one
      # between
      - http://b
    /x: http://c
  b.test:
    /: [{when: {method: POST}, to: "http://a"}]
"""


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "daemun.yaml"
    path.write_text(FILE)
    return path


def test_commands_leave_lists_alone(file: pathlib.Path) -> None:
    yaml_edit.add_route(file, "a.test", "http://d", route_path="/y")
    yaml_edit.set_enabled(file, "b.test", enabled=False)
    yaml_edit.set_maintenance(file, "a.test", is_on=True)
    text = file.read_text()
    for line in ('- {when: {method: POST}, to: "http://a"}   # one', "# between", "- http://b", "/y: http://d"):
        assert line in text
    assert [one.name for one in yaml_file.parse(text, file_name="x", base_dir="/").sites[0].routes] == [
        *("/ #1", "/ #2", "/x", "/y")
    ]


def test_a_list_is_removed_as_a_whole(file: pathlib.Path) -> None:
    yaml_edit.remove_route(file, "a.test", "/")
    assert file.read_text().startswith("sites:\n  a.test:\n")
    assert "http://b" not in file.read_text()
    assert [one.name for one in yaml_file.parse(file.read_text(), file_name="x", base_dir="/").sites[0].routes] == [
        "/x"
    ]


def test_no_command_writes_over_a_list(file: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match="already has a route"):
        yaml_edit.add_route(file, "a.test", "http://a")
    with pytest.raises(ConfigError, match="already has a route"):
        yaml_edit.add_route(file, "b.test", "http://a")
    assert file.read_text() == FILE
