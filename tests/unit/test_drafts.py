"""Drafts as values: what others changed meanwhile, and texts without secrets."""

import pytest

from daemun.core import model
from daemun.errors import ConfigError
from daemun.sources import owned_keys, three_way_merge
from daemun.sources.drafts import draft_review, draft_secrets

BASE = b"a\nb\nc\nd\ne\nf\n"


@pytest.mark.parametrize(
    ("mine", "theirs", "merged"),
    [
        (b"A\nb\nc\nd\ne\nf\n", b"a\nb\nc\nd\ne\nF\n", b"A\nb\nc\nd\ne\nF\n"),
        (b"a\nb\nc\nd\ne\nf\nmine\n", b"new\na\nb\nc\nd\ne\nf\n", b"new\na\nb\nc\nd\ne\nf\nmine\n"),
        (b"b\nc\nd\ne\nf\n", b"a\nb\nc\nf\n", b"b\nc\nf\n"),
        (b"a\nB\nc\nd\ne\nf\n", b"a\nB\nc\nd\ne\nF\n", b"a\nB\nc\nd\ne\nF\n"),
        (BASE, b"other\n", b"other\n"),
        (b"other\n", BASE, b"other\n"),
        (b"same\n", b"same\n", b"same\n"),
        (b"a\nB\nc\nd\ne\nf\n", b"a\nX\nc\nd\ne\nf\n", None),
        (b"a\nB\nc\nd\ne\nf\n", b"a\nb\nX\nd\ne\nf\n", None),
        (b"a\nb\nc\nmine\nd\ne\nf\n", b"a\nb\nc\ntheirs\nd\ne\nf\n", None),
        (b"", b"a\nb\nc\nd\ne\nF\n", None),
        (b"a\nb\nc\nx\ny\nd\ne\nf\n", b"a\nb\nc\nx\nd\ne\nf\n", b"a\nb\nc\nx\ny\nd\ne\nf\n"),
        (b"a\nb\nc\nd\ne\nf\nx\ny\n", b"A\nb\nc\nd\ne\nf\nx\n", b"A\nb\nc\nd\ne\nf\nx\ny\n"),
        (b"a\nb\nc\nx\ny\nd\ne\nf\n", b"a\nb\nc\ny\nd\ne\nf\n", None),
        (b"a\nb\nc\nx\ny\nf\n", b"a\nb\nc\nx\nf\n", None),
    ],
)
def test_what_does_not_meet_is_put_together(mine: bytes, theirs: bytes, merged: bytes | None) -> None:
    assert three_way_merge.merge(BASE, mine, theirs) == merged
    assert three_way_merge.merge(BASE, theirs, mine) == merged


def test_texts_that_would_take_minutes_to_compare_meet() -> None:
    base, mine, theirs = (b"".join(b"%s%d\n" % (sign, n) for n in range(9000)) for sign in (b"a", b"b", b"c"))
    assert three_way_merge.merge(base, mine, theirs) is None


TEXT = b"""\
# ours
crowdsec: {url: http://x, key: 's3cret-of-crowdsec'}
acme: {email: a@a.test, eab: {kid: k, hmac_key: abc}}
sites:
  a.test:
    request_headers: {Authorization: Bearer 0123456789abcdef}
    routes: {/: http://a:1}
"""


def test_secrets_are_shown_as_marks_and_come_back() -> None:
    shown = draft_secrets.show(TEXT)
    assert shown is not None
    assert "key: (hidden 1)" in shown
    for secret in ("s3cret", "abc", "0123456789"):
        assert secret not in shown
    assert draft_secrets.put_back(shown, TEXT) == TEXT
    edited = shown.replace("http://a:1", "http://a:2").replace("(hidden 1)", "a-new-one")
    found = draft_secrets.put_back(edited, TEXT)
    assert found == TEXT.replace(b"a:1", b"a:2").replace(b"'s3cret-of-crowdsec'", b"a-new-one")
    assert draft_secrets.show(b"a: [") is None


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        ("{/: http://a:1}", "{/: {respond: {body: (hidden 1)}}}", "(hidden"),
        ("{/: http://a:1}", "{/: {respond: {body: (hidden 2)}}}", "(hidden"),
        ("http://x, key: (hidden 1)", "http://(hidden 1), key: x", "(hidden"),
        ("# ours", "# (hidden 2)", "(hidden"),
        ("# ours", "# (hidden 9)", "there is no secret (hidden 9)"),
        ("# ours", "a: [", "it is no YAML"),
    ],
)
def test_a_secret_stays_where_it_is(old: str, new: str, cause: str) -> None:
    """The second one is too short to be found by its text."""
    shown = draft_secrets.show(TEXT)
    assert shown is not None
    assert old in shown
    with pytest.raises(ConfigError) as refused:
        draft_secrets.put_back(shown.replace(old, new), TEXT)
    assert cause in str(refused.value)
    for secret in ("s3cret", "0123456789"):
        assert secret not in str(refused.value)


_ANCHORED = b"""\
x-auth: &auth {Authorization: Bearer 0123456789abcdef}
sites:
  a.test: {request_headers: *auth, to: http://a:1}
  b.test: {request_headers: {Authorization: Bearer fedcba9876543210}, to: http://b:1}
"""
_WHOLE = "b.test: &b {request_headers: {Authorization: (hidden 2)}, to: http://b:1}\n  c.test: *b"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a.test: {request_headers: *auth,", "a.test: {request_headers: *auth, response_headers: *auth,"),
        ("b.test: {", "b.test: {response_headers: *auth, "),
        ("b.test: {", "b.test: {response_headers: {<<: *auth}, "),
        ("b.test: {", "b.test: {response_headers: {<<: [*auth, {}]}, "),
        ("request_headers: {Authorization: (hidden 2)}", "request_headers: &b {Authorization: (hidden 2)}, errors: *b"),
        ("b.test: {request_headers: {Authorization: (hidden 2)}, to: http://b:1}", _WHOLE),
        ("{Authorization: (hidden 2)}", "{Authorization: &s (hidden 2), X-Other: *s}"),
    ],
)
def test_no_alias_brings_a_secret_to_another_place(old: str, new: str) -> None:
    for content in (_ANCHORED, b"\xef\xbb\xbf" + _ANCHORED):
        shown = draft_secrets.show(content)
        assert shown is not None
        assert draft_secrets.put_back(shown.replace("a:1", "a:2"), content) == content.replace(b"a:1", b"a:2")
        assert old in shown
        with pytest.raises(ConfigError, match=r"an alias|does not hide it"):
            draft_secrets.put_back(shown.replace(old, new), content)


def test_problems_have_no_secret_in_what_was_found_nor_in_what_to_do() -> None:
    cure = "write http://h:80/a?token=abc and own-secret-1"
    found = model.Problem(origin=model.Origin(source="file", place="x"), message=f"cannot use it; {cure}", cure=cure)
    [hidden] = draft_review.hide((found,), frozenset({"own-secret-1"}))
    assert hidden.cure == "write http://h:80/a?token=(hidden) and (hidden)"
    assert hidden.reason == "cannot use it"


_SITES = "".join(f"  s{number}.test: http://b\n" for number in range(250))
_QUOTED = (
    f'{{x-a: "\nsites:\n  first.test: http://x\n{_SITES}'
    '  # ", dashboard: {own: [bob]}, include: /etc/shadow, sites: {}, x-b: "\n'
    f'{_SITES}"}}\n'
)


def test_what_is_left_out_of_a_long_text_hides_no_key() -> None:
    """The excerpt of it lacked the line in which a text in quotes ended."""
    found = owned_keys.find_changes("daemun.yaml", b"sites: {}\n", _QUOTED.encode())
    assert {one.message.partition(":")[0] for one in found} == {"dashboard", "include"}
    with pytest.raises(ConfigError, match="include"):
        owned_keys.check_include("daemun.yaml", b"sites: {}\n", _QUOTED.encode())


@pytest.mark.parametrize(
    ("written", "keys"),
    [
        ("fleet: {database: 'postgresql://d@h/x', key: /k}\nsites: {}\n", {"fleet"}),
        ("node: {listen: 81}\nsites: {}\n", {"node"}),
        ("acme: {hook: /bin/id}\nsites: {}\n", {"hook"}),
        ("acme: {dns: {provider: hook, command: [/bin/id]}}\nsites: {}\n", {"command"}),
        ("sites:\n  a.test: {to: 'http://a', tls: {dns: {provider: hook, command: /bin/id}}}\n", {"command"}),
        ("sites:\n  a.test: {to: 'http://a', tls: {dns: {provider: hook, \"c\\x6fmmand\": /bin/id}}}\n", {"command"}),
        ("x-a: &a {command: /bin/id}\nsites:\n  a.test: {to: 'http://a', tls: {dns: *a}}\n", {"command"}),
        ("defaults: {tls: {dns: {<<: {command: /bin/id}}}}\nsites: {}\n", {"command"}),
        ("acme: {hook: [/bin/true, b]}\nsites: {b.test: 'http://b'}\n", {"hook"}),
        ("acme: {email: a@b.test, hook: /bin/true}\nsites: {b.test: 'http://command'}\n", set()),
    ],
)
def test_who_may_change_alone_lets_no_program_run(written: str, keys: set[str]) -> None:
    before = b"acme: {hook: /bin/true}\nsites: {}\n"
    found = owned_keys.find_changes("daemun.yaml", before, written.encode())
    assert {one.message.partition(":")[0] for one in found} == keys
    included = owned_keys.find_programs("sites/a.yaml", before, written.encode())
    assert {one.message.partition(":")[0] for one in included} == keys - {"fleet", "node"}


def test_no_quote_brings_a_secret_of_a_long_text_to_another_place() -> None:
    content = f"x-a: {{token: abc}}\nsites:\n  first.test: http://x\n{_SITES}{_SITES.replace('  s', '  t')}  last.test: http://z\n".encode()
    shown = draft_secrets.show(content)
    assert shown is not None
    assert draft_secrets.put_back(shown.replace("//x", "//y"), content) == content.replace(b"//x", b"//y")
    turned = shown.replace("x-a:", 'x-b: "\nx-a:').replace("  s7.test", '  # "\n# {').replace("abc", "")
    with pytest.raises(ConfigError):
        draft_secrets.put_back(turned, content)
