"""Regular expressions for paths: which are accepted, and what their named groups become."""

import re

import pytest

from daemun.core.texts import expressions


@pytest.mark.parametrize(
    ("expression", "groups"),
    [
        ("^/u/(?<id>[0-9]+)$", ("id",)),
        (r"^/(?P<year>\d{4})/(?<slug>[^/]+)\.html$", ("year", "slug")),
        (r"\.(?:jpe?g|png)$", ()),
        ("^/(?:a|b)?x", ()),
        ("^/(?:ab){3}", ()),
        ("^/(?!admin/).*$", ()),
        ("^/(?<a>[^/]+)/(?<b>[^/]+)/(?<c>[0-9]+)/(?<d>.*)$", ("a", "b", "c", "d")),
        ("^/(?<a>.*)/x/(?<b>.*)/(?<c>[^/]*)$", ("a", "b", "c")),
        (r"/[^/]+\.js$", ()),
        ("^/(?:[0-9]{1,3}-){3}x", ()),
        (r"\.(?:css|js|json|jpe?g|png|svg|ico|woff2?|txt|ttf)$", ()),
        ("^/(?:[0-9a-f]{4}-){7}x", ()),
        ("^/(?:[0-9]{1,3}-){7}x", ()),
    ],
)
def test_accepted(expression: str, groups: tuple[str, ...]) -> None:
    assert expressions.check(expression) is None
    assert expressions.find_groups(expression) == groups
    assert not re.search(r"\((?!\?)", expressions.written(expression).replace(r"\(", ""))
    for name in groups:
        assert f"(?<daemun_part_{name}>" in expressions.written(expression)


@pytest.mark.parametrize(
    ("expression", "cause"),
    [
        ("^/u/([0-9]+)$", 'has a group without a name; write "^/u/(?:[0-9]+)$", or (?<name>...)'),
        ("(?<Id>x)", 'has a group named "Id"; a name is 1 to 20 of a-z, 0-9 and _'),
        ("(?<" + "a" * 21 + ">x)", "a name is 1 to 20 of"),
        ("(?<a>x)(?<a>y)", 'has two groups named "a"'),
        ("(?:a|aa)+$", 'repeats a group with a choice in it ("+")'),
        ("(?:a?a){2,}$", "repeats a group with a choice in it"),
        ("(?:(?:x|y)z)*", "repeats a group with a choice in it"),
        ("(?:a?){60}a{60}", "repeats a group with a choice in it"),
        ("(?:a+)+$", "repeats a repetition"),
        (".*a.*b.*c.*d$", "holds 4 parts of any length"),
        ("^/.*/.*/.*/x$", "holds 3 parts of any length that could share a text out in many ways, at most 2"),
        ("[^/]*[^/]*x", "holds 3 parts of any length"),
        ("^/(?:a|b*)c*(?:d|c)*", "repeats a group"),
        ("^/.{0,64}.{0,64}.{0,64}x", "holds 3 parts of any length"),
        ("^" + "a?" * 12, "holds 11 optional parts, at most 10"),
        ("^(?:(?:a?){8}){8}b", "holds 64 optional parts"),
        ("^(?:.*a){8}b", "holds 8 parts of any length"),
        ("^" + "(?:a|aa)" * 40 + "b", "holds 40 optional parts"),
        ("^" + "[a-z]{0,8}" * 10 + "1", "holds 36 optional parts"),
        ("^(?:(?:(?:abcdefgh){64}){64}){64}", "too large to compile"),
        ("^/(a", "never closed"),
        (r"(?<a>x)\1", "not in the part of regular expressions"),
        ("x" * 401, "is too long"),
        ("", "is empty"),
    ],
)
def test_refused(expression: str, cause: str) -> None:
    assert cause in (expressions.check(expression) or "")


def test_what_is_recommended_instead_of_a_group_without_a_name_is_accepted() -> None:
    cause = expressions.check("^/(a|(b))/(?<c>x)$") or ""
    (cure,) = re.findall(r'write "(.*?)"', cause)
    assert cure == "^/(?:a|(?:b))/(?<c>x)$"
    assert expressions.check(cure) is None


def test_a_dot_is_a_line_break_too() -> None:
    assert expressions.matches("^/admin/.*$", "/admin/\n/x")
    assert not expressions.matches("^/admin/[a-z]*$", "/admin/1")


def test_texts_with_groups() -> None:
    assert expressions.expand("/a$b/${id}$/${x", lambda text: text.replace("$", "D")) == "/aDb/${daemun_part_id}D/D{x"
    assert expressions.check_parts("/${id}", ("id", "of"), lambda _: None) is None
    assert expressions.check_parts("/${x}", ("id", "of"), lambda _: None) == (
        'uses "${x}", which is no named group of it: expected ${id} or ${of}'
    )
    assert "no group such as (?<name>...)" in (expressions.check_parts("/${id}", (), lambda _: None) or "")


@pytest.mark.parametrize(
    ("expression", "text", "both"),
    [
        ("^/u/(.*)$", "/$1", ("^/u/(?<part1>.*)$", "/${part1}")),
        ("^/(a|b)/([0-9]+)$", "/x/$2", ("^/(?:a|b)/(?<part2>[0-9]+)$", "/x/${part2}")),
        ("^/(?<id>a)/(b)$", "/$1/${2}", ("^/(?<id>a)/(?<part2>b)$", "/${id}/${part2}")),
        ("^/(a)$", "/$2", None),
        ("^/(a)$", "/x", None),
        ("^/(a)(?<part1>b)$", "/$1", None),
    ],
)
def test_groups_that_a_text_uses_by_number_get_names(expression: str, text: str, both: tuple[str, str] | None) -> None:
    """The cure is whole: the expression and what uses its groups."""
    assert expressions.name_groups(expression, text) == both
    if both is not None:
        better, use = both
        assert expressions.check(better) is None
        assert expressions.check_parts(use, expressions.find_groups(better), lambda _: None) is None


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("/users/$id", "/users/${id}"),
        ("/users/{id}", "/users/${id}"),
        ("/users/${ID}", "/users/${id}"),
        ("/users/$1", "/users/${id}"),
        ("/users/$1/$rest", "/users/${id}/${rest}"),
        ("/users/${id}${2}", "/users/${id}${rest}"),
        ("/users/$3", None),
        ("/users/{id} x", None),
    ],
)
def test_a_group_in_the_words_of_another_tool(text: str, cure: str | None) -> None:
    """K1: a cure that another rule refuses is not printed."""

    def check(better: str) -> str | None:
        return "holds white space" if " " in better else None

    cause = expressions.check_parts(text, ("id", "rest"), check)
    assert cause is not None
    assert re.findall(r'write "(.*?)"', cause) == ([] if cure is None else [cure])


@pytest.mark.parametrize("text", ["/users/${id}", "/$idle/{ident}", "/$host/$", "/a%24"])
def test_what_is_no_group_stays(text: str) -> None:
    assert expressions.check_parts(text, ("id",), lambda _: None) is None


def test_a_name_of_nginx_stays_its_variable() -> None:
    text = "https://$host/{uri}"
    assert expressions.check_spelling(text, ("host",), lambda _: None, lambda name: name == "host") is None
