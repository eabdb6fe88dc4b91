"""Hand-written nginx: the tree that nginx would read, and nothing that leaves its place."""

import pathlib

import hypothesis
import pytest
from hypothesis import strategies

from daemun.core import directive, serialise
from daemun.errors import RenderError
from daemun.sources import nginx_snippet


def one(text: str) -> directive.Directive:
    (node,) = nginx_snippet.parse_snippet(text)
    assert isinstance(node, directive.Directive)
    return node


def args(text: str) -> list[str]:
    return [arg.value for arg in one(text).args]


def test_nothing_is_nothing() -> None:
    assert nginx_snippet.parse_snippet("") == ()
    assert nginx_snippet.parse_snippet(" \n\t\n") == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("add_header X-A b always;", ["X-A", "b", "always"]),
        ('return 200 "a b; { } # $x";', ["200", "a b; { } # $x"]),
        ("return 200 '';", ["200", ""]),
        (r'return 200 "a\"b\\c\.d\n";', ["200", 'a"b\\c\\.d\n']),
        (r"return 200 'it\'s \"';", ["200", "it's \""]),
        ('proxy_set_header X "${host}$uri";', ["X", "${host}$uri"]),
        ("a ${x}b;", ["${x}b"]),
        ("log_format x 'a'\n  'b';", ["x", "a", "b"]),
        ("include /etc/nginx/extra.conf;", ["/etc/nginx/extra.conf"]),
        ("a 한글;", ["한글"]),
        ('"a";', []),
    ],
)
def test_arguments_are_what_nginx_sees(text: str, expected: list[str]) -> None:
    assert args(text) == expected
    again = serialise.serialise((one(text),)).decode()
    assert args(again) == expected, "an argument that was quoted is still one argument"


def test_blocks_and_comments() -> None:
    text = '# why\nlocation ~ "^/a{2}$" { # here\n  if ($a = "b") { return 204; }\n}\nmap $a $b { "" x; default y; }\n'
    comment, location, mapped = nginx_snippet.parse_snippet(text)
    assert comment == directive.Comment("why")
    assert isinstance(location, directive.Directive)
    assert [arg.value for arg in location.args] == ["~", "^/a{2}$"]
    assert location.block is not None
    assert location.block[0] == directive.Comment("here")
    condition = location.block[1]
    assert isinstance(condition, directive.Directive)
    assert condition.name == "if"
    assert [arg.value for arg in condition.args] == ["($a", "=", "b", ")"]
    assert isinstance(mapped, directive.Directive)
    assert mapped.block is not None
    assert [node.name for node in mapped.block if isinstance(node, directive.Directive)] == ["", "default"]


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("a b", 'expected ";" after "a", found the end', 1),
        ("a b;\nc d\n", 'expected ";" after "c"', 2),
        ("a {\n b c }\n", 'expected ";" after "b", found "}"', 2),
        ("}", 'unexpected "}": it would close the block that daemun writes', 1),
        ("a;\n} server { listen 1;", 'unexpected "}"', 2),
        ("a {} }", 'unexpected "}"', 1),
        ("a {\nb c;\n", '"{" is never closed', 1),
        (";", 'unexpected ";"', 1),
        ("{ }", 'unexpected "{"', 1),
        ('a "b;\n', "a quote is opened", 1),
        ("a;\nb 'c;\nd e;\n", "a quote is opened", 2),
        ("a ${b", '"${b": "${" is never closed', 1),
        ("a;\nb ${c d;", '"${" is never closed', 2),
        ("a;\n\n# c\n'", "a quote is opened", 4),
        ("a;\\", 'expected ";" after', 2),
        ("content_by_lua_block { x() }", "Lua", 1),
        ("include extra.conf;", "absolute path", 1),
        ("a;\nb \x01;", "control character U+0001", 2),
        ("a {" * 30 + "}" * 30, "nested too deeply", 1),
    ],
)
def test_what_is_refused(text: str, words: str, line: int) -> None:
    with pytest.raises(nginx_snippet.SnippetError) as caught:
        nginx_snippet.parse_snippet(text)
    assert words in str(caught.value)
    assert caught.value.line == line


@hypothesis.given(strategies.text(alphabet="ab \n\"'\\${};#()~", max_size=40) | strategies.text(max_size=40))
def test_any_text_is_a_tree_that_reads_the_same_again_or_is_refused(text: str) -> None:
    try:
        nodes = nginx_snippet.parse_snippet(text)
    except nginx_snippet.SnippetError:
        return
    try:
        written = serialise.serialise(nodes).decode()
    except RenderError:
        return
    assert _plain(nginx_snippet.parse_snippet(written)) == _plain(nodes)


def _plain(nodes: tuple[directive.Node, ...]) -> list[object]:
    """The directives without comments. The serialiser gives an `if` without parentheses its own."""
    found: list[object] = []
    for node in nodes:
        if isinstance(node, directive.Directive) and node.name != "if":
            block = None if node.block is None else _plain(node.block)
            found.append((node.name, [arg.value for arg in node.args], block))
    return found


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("auth_basic_user_file htpasswd;", "/etc/daemun/htpasswd"),
        ("auth_basic_user_file ./a/../htpasswd;", "/etc/daemun/htpasswd"),
        ("auth_basic_user_file $host/htpasswd;", "$host/htpasswd"),
        ("auth_basic_user_file users/$host;", "/etc/daemun/users/$host"),
        ("auth_basic_user_file /etc/htpasswd;", "/etc/htpasswd"),
        ("root www;", "/etc/daemun/www"),
        ("location / { alias www/; }", "/etc/daemun/www/"),
        ("include more/*.conf;", "/etc/daemun/more/*.conf"),
        ("map $a $b { include list; }", "/etc/daemun/list"),
        ("access_log off;", "off"),
        ("access_log syslog:server=127.0.0.1;", "syslog:server=127.0.0.1"),
        ("access_log logs/a.log;", "/etc/daemun/logs/a.log"),
        ("error_log stderr;", "stderr"),
        ("ssl_client_certificate ca.pem;", "/etc/daemun/ca.pem"),
        ("proxy_ssl_trusted_certificate ca.pem;", "/etc/daemun/ca.pem"),
        ("ssl_certificate data:$x;", "data:$x"),
        ("proxy_cache_path cache keys_zone=a:1m;", "/etc/daemun/cache"),
        ("proxy_store on;", "on"),
    ],
)
def test_h6_relative_paths_start_at_the_folder(written: str, read: str) -> None:
    (node,) = nginx_snippet.parse_snippet(written, base=pathlib.Path("/etc/daemun"))
    while isinstance(node, directive.Directive) and node.block:
        node = node.block[0]
    assert isinstance(node, directive.Directive)
    assert node.args[0].value == read
