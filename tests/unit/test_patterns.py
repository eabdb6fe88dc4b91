"""Which regular expressions of strangers are accepted, and how they are written."""

import time

import pytest

from daemun.core import model
from daemun.core.texts import names, patterns, rules, url_rules
from daemun.core.validation import validate
from tests.support.sites import proxy, route, site


@pytest.mark.parametrize(
    "expression",
    [
        r"^foo\.bar\..*\.nip\.io",
        r"^(www\.)?example\.(com|net)$",
        r"^[a-z0-9-]{1,63}\.example\.com$",
        r"^(?<user>.+)\.example\.com$",
        r"^(?P<user>\w+)\.x",
        r"^(?!www\.).+\.example\.com",
        r"^/(app1|alternative1)/",
        r"a{2}b{3,}c{1,4}?",
        r"[]a]+[^]]",
        r"^(ab|cd)+$",
    ],
)
def test_accepted(expression: str) -> None:
    assert patterns.check(expression) is None


@pytest.mark.parametrize(
    ("expression", "cause"),
    [
        ("", "is empty"),
        ("a" * 401, "is too long"),
        ("a b", "white space"),
        ("a\nb", "white space"),
        ("ä", "beyond ASCII"),
        (r"\Qa", "not in the part"),
        (r"(a)\1", "not in the part"),
        (r"(?<=a)b", "not in the part"),
        (r"(?i)a", "not in the part"),
        (r"(?R)", "not in the part"),
        ("[[:alpha:]]", "not in the part"),
        ("[a", "not in the part"),
        ("a{", "not in the part"),
        ("(a", "never closed"),
        ("a)", "not open"),
        ("*a", "repeats nothing"),
        ("^*", "repeats nothing"),
        ("(a+)+", "repeats a repetition"),
        ("((a|b)*c)*", "repeats a repetition"),
        ("(a{2,})+", "repeats a repetition"),
        ("(.*a){99}", "repeats a repetition"),
        ("a*b*c*d*e*f*g*h*i*", "at most 8"),
        ("[z-a]", "is not a regular expression"),
        ("a{3,1}", "is not a regular expression"),
    ],
)
def test_refused(expression: str, cause: str) -> None:
    assert cause in (patterns.check(expression) or "")


@pytest.mark.parametrize(
    "expression",
    [
        r"^(www\.)?example\.(com|org)$",
        r"^.+\.app\.example\.com$",
        r"^foo\.bar\..*\.nip\.io",
        r"^(?<user>.+)\.example\.com$",
        r"^[a-z0-9-]{1,63}\.(?:dev|test|staging|stage)\.example\.(com|net|org|co\.uk)$",
        r"^(?!www\.).+\.example\.com",
        r"(foo|bar)\.[a-z]{1,3}\.test$",
        r"^web(\..*)?\.test$",
    ],
)
def test_a_host_of_the_real_world(expression: str) -> None:
    assert rules.check_host(f"~{expression}", with_patterns=True) is None


@pytest.mark.parametrize(
    ("expression", "cause"),
    [
        (r"^(?:[a-z]?){64}\.evil\.test$", "repeats a group with a choice in it"),
        (r"^(?:[a-z]{0,64}){64}\.evil\.test$", "repeats a group with a choice in it"),
        (r"^(?:(?:[a-z]?){8}){8}\.evil\.test$", "holds 64 optional parts"),
        ("^" + "(?:a|aa)" * 40 + "$", "holds 40 optional parts"),
        ("^" + ".*a" * 4 + "$", "holds 4 parts of any length"),
        ("^" + "a*(?:bc)?" * 4 + "$", "holds 4 parts of any length"),
        ("^" + "a*(?:b){0}" * 4 + "$", "holds 4 parts of any length"),
        ("^" + r"[a-]*\b" * 4 + "a$", "holds 4 parts of any length"),
        ("^" + r"a*\B" * 4 + "a$", "holds 4 parts of any length"),
        ("^a{1,8}a{0,8}a*a*a*b", "holds 7 optional parts, at most 3"),
        ("^(?:(?:(?:abcdefgh){64}){64}){64}$", "too large to compile"),
    ],
)
def test_a_host_or_path_that_takes_ages_to_match(expression: str, cause: str) -> None:
    assert cause in (rules.check_host(f"~{expression}", with_patterns=True) or "")
    assert cause in (url_rules.check_route_path(f"~{expression}", with_patterns=True) or "")


def test_what_is_too_long_for_a_host_matches_nothing() -> None:
    assert patterns.matches("^a+$", "a" * 255)
    assert not patterns.matches("^a+$", "a" * 256)


def test_nothing_is_captured() -> None:
    assert patterns.written(r"^(a|(?<host>b))(?:c)(?!d)\($") == r"^(?:a|(?:b))(?:c)(?!d)\($"


def test_what_is_accepted_matches_quickly() -> None:
    begin = time.process_time()
    patterns.matches(r"^(a|b|ab)+x.*y.*z$", "ab" * 12)

    assert time.process_time() - begin < 5


def test_patterns_are_only_for_containers() -> None:
    for host in ("~^a", "www.example.*"):
        made = site(host, "http://10.0.0.1", tls=model.Tls(mode=model.TlsMode.OFF), http=model.HttpMode.SERVE)
        (problem,) = validate.find_site_problems(made)
        assert problem.message.startswith("host ")
    made = site("a.test", route("~^/a", proxy("http://10.0.0.1")))
    assert 'must start with "/"' in validate.find_site_problems(made)[0].message


@pytest.mark.parametrize("host", [".*", "*.*", "a..*", "-a.*", "a b.*"])
def test_a_bad_wildcard_at_the_end(host: str) -> None:
    assert rules.check_host(host, with_patterns=True) is not None


def test_files_of_patterns() -> None:
    assert names.slug("www.example.*") == "www.example._"
    expression = names.slug("~^a")
    assert expression.startswith("-re_")
    assert expression < names.slug("1.example.com") < names.slug("a.example.com")
