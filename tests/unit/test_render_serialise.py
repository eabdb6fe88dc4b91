"""Words of nginx files: what is quoted, what is refused, and that it reads back as it was."""

import hypothesis
import hypothesis.strategies as st
import pytest

from daemun.core import arguments, serialise
from daemun.core.directive import Comment, Directive, Expr, Text
from daemun.core.texts import rules, url_rules
from daemun.errors import RenderError
from tests.support import nginx_text


def _write(*args: Text | Expr, name: str = "add_header") -> str:
    return serialise.serialise((Directive(name, args),)).decode().removesuffix(";\n").removeprefix(f"{name} ")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "plain"),
        ("/a/b-c_d.e:80", "/a/b-c_d.e:80"),
        ("", '""'),
        ("two words", '"two words"'),
        ('say "hi"', r'"say \"hi\""'),
        ("a;b", '"a;b"'),
        ("{x}", '"{x}"'),
        ("#x", '"#x"'),
        (r"\d", r'"\d"'),
        (r"\n", r'"\\n"'),
        ("\\", r'"\\"'),
        (r"a\"", r'"a\\\""'),
        ("한글", '"한글"'),
        ("$x", '"${daemun_dollar}x"'),
    ],
)
def test_text(value: str, written: str) -> None:
    assert _write(Text(value)) == written


def test_variables_stay_in_expressions_only() -> None:
    assert _write(Expr("$host")) == "$host"
    assert _write(Expr("${host}x")) == '"${host}x"'
    assert _write(Text("/a$b"), name="location") == "/a$b"
    with pytest.raises(RenderError, match="a \\$ has no literal form there"):
        _write(Text("/a$b"), name="zone")


@pytest.mark.parametrize("value", ["a\nb", "a\0", "\x7f", "\x85", "\u2028", "a" * 4001, '"' * 2001, "$" * 300])
def test_what_cannot_be_a_word_is_refused(value: str) -> None:
    with pytest.raises(RenderError, match=r"^cannot write .* for `add_header`"):
        _write(Text(value))


def test_lone_surrogates_are_refused() -> None:
    with pytest.raises(RenderError, match="not Unicode text"):
        _write(Text("\ud800"))


def test_an_owner_s_line_breaks_are_kept() -> None:
    assert _write(Expr("a\nb\tc\r"), name="return") == r'"a\nb\tc\r"'


@hypothesis.given(st.lists(st.one_of(nginx_text.HOSTILE, st.text()), max_size=4))
def test_expressions_read_back_as_they_were(words: list[str]) -> None:
    hypothesis.assume(all("\0" not in word and word.isprintable() and "\ud800" not in word for word in words))
    tree = (Directive("set", tuple(Expr(word) for word in words), (Directive("inner"),)),)
    try:
        written = serialise.serialise(tree)
    except RenderError:
        hypothesis.reject()
    assert nginx_text.parse(written) == [("set", words, [("inner", [], None)])]


def test_blocks_stand_apart() -> None:
    tree = (
        Comment("one\ntwo"),
        Directive("a"),
        Directive("b", (), (Comment("in"), Directive("c"))),
        Directive("d"),
    )
    assert serialise.serialise(tree).decode() == "# one?two\na;\n\nb {\n    # in\n    c;\n}\n\nd;\n"


def test_a_comment_may_stand_beside_a_directive() -> None:
    tree = (Directive("a", (Text("b; # c"),), beside="one\ntwo; #"), Directive("d"))
    assert serialise.serialise(tree).decode() == 'a "b; # c";  # one?two; #\nd;\n'


def test_long_comments_are_cut() -> None:
    """nginx refuses a comment that does not fit into its buffer."""
    assert len(serialise.serialise((Comment("x" * 10_000),))) < 500
    assert len(serialise.serialise((Directive("a", beside="x" * 10_000),))) < 500


@pytest.mark.parametrize(
    ("words", "written"),
    [
        (("$a",), "if ($a)"),
        (("($a", "=", "b)"), "if ($a = b)"),
        (("$a", "=", "b c"), 'if ($a = "b c" )'),
        (("$a b", "=", "c"), 'if ( "$a b" = c)'),
        (("(", "$a", ")"), "if ( $a )"),
        (('("$a"', "=", "b)"), 'if "(\\"$a\\"" = b)'),
    ],
)
def test_conditions_get_the_parentheses_that_parsers_leave_out(words: tuple[str, ...], written: str) -> None:
    tree = (Directive("if", tuple(Expr(word) for word in words), ()),)
    assert serialise.serialise(tree).decode().startswith(f"{written} {{")


# --- values ---


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("$host", "${host}"),
        ("${host}name", "${host}name"),
        ("$hostname", "${daemun_dollar}hostname"),
        ("$uri", "${daemun_uri}"),
        ("$ssl_server_name", "${daemun_server_name}"),
        ("$http_x_a $cookie_b", "${http_x_a} ${cookie_b}"),
        ("$5 $", "${daemun_dollar}5 ${daemun_dollar}"),
        ("$$host", "${daemun_dollar}${host}"),
        ("${nope}", "${daemun_dollar}{nope}"),
    ],
)
def test_an_owner_s_variables(text: str, written: str) -> None:
    assert arguments.expression(text) == Expr(written)


@pytest.mark.parametrize(
    ("given", "written"), [(5.0, "5s"), (0.25, "250ms"), (0.0001, "1ms"), (86400.0, "86400s"), (1.5, "1500ms")]
)
def test_durations(given: float, written: str) -> None:
    assert arguments.duration(given) == written


@pytest.mark.parametrize("given", [0.0, -1.0, float("nan"), float("inf"), 1e12])
def test_times_that_are_none(given: float) -> None:
    assert rules.check_number(given, least=0.001, most=rules.YEAR_S)


@pytest.mark.parametrize(
    ("given", "written"), [(0, "0"), (1, "1"), (1024, "1k"), (1 << 20, "1m"), (3 << 30, "3g"), (1025, "1025")]
)
def test_sizes(given: int, written: str) -> None:
    assert arguments.size(given) == written


@pytest.mark.parametrize("path", ["x", "/a?b", "/a#b", "/a%2Fb", "/%3f", "/%0a", "/a%", "/a%zz", "/a\nb"])
def test_target_paths_that_cannot_be_sent_unchanged(path: str) -> None:
    assert url_rules.check_target_path(path)


def test_target_paths() -> None:
    assert arguments.sent_path("/a b/$/%20/한") == "/a%20b/%24/%20/%ED%95%9C"
    assert arguments.decoded_path("/a%20b%25") == "/a b%"
    assert "UTF-8" in (url_rules.check_target_path("/%ff") or "")
