"""What declarations have in English has a Korean text for the pages: none is missing, and none is left over."""

import ast
import collections.abc
import ipaddress
import itertools
import pathlib
import re

import pytest

from daemun import package_data
from daemun.core import model
from daemun.core.dashboard import lamps
from daemun.core.issuance.preflight import facts, name_addresses, port80, preflight_words
from daemun.core.nginx_builds import nginx_weaknesses
from daemun.core.options import catalogue, option
from daemun.core.served import server_answers
from daemun.dashboard import completion, declared_texts
from daemun.sources import yaml_schema
from daemun.sources.drafts import option_forms
from daemun.web import endpoint

_CODE = re.compile(r"`[^`]*`|\b[a-z_]+:(?= )|\b(?:true|false|URL)\b")
_WORD = re.compile(r"[A-Za-z]{2}")
TABLE: dict[str, str] = package_data.read_toml("dashboard/texts/declared/ko.toml")


def has_words(text: str) -> bool:
    return _WORD.search(_CODE.sub("", text)) is not None


def of_forms() -> collections.abc.Iterator[str]:
    for level in option.Level:
        for field in option_forms.list_fields(level):
            one = catalogue.BY_NAME.get(field["key"])
            is_map = one is not None and level in one.levels and not isinstance(one.doc, option.Doc)
            yield from () if is_map else (field["help"],)  # else it is made of those of its keys
            yield from (inner["help"] for inner in field["keys"])
            yield from (text for text in (field["kind"], field["default"]) if has_words(text))


def of_endpoints() -> collections.abc.Iterator[str]:
    """Of those that change something, which the audit log has."""
    for path in pathlib.Path(endpoint.__file__).parent.glob("*_endpoints.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("ApiEndpoint"):
                given = {one.arg: one.value for one in node.keywords}
                if ast.literal_eval(given["method"]) != "GET":
                    yield ast.literal_eval(given["summary"])


def of_commands() -> collections.abc.Iterator[str]:
    """What `daemun dashboard` does, which the audit log has, too."""
    text = (pathlib.Path(endpoint.__file__).parent / "dashboard_access_api.py").read_text()
    yield from re.findall(r'"((?:Make|Withdraw|End) [^"]*)"', text)


def of_weaknesses() -> collections.abc.Iterator[str]:
    for one in nginx_weaknesses.read_advisories():
        yield one.title
        yield from (text for text in (one.meanwhile,) if text)


def of_lamps() -> collections.abc.Iterator[str]:
    """Why they are not green, where that is no message with something in it."""
    for node in ast.walk(ast.parse(pathlib.Path(lamps.__file__).read_text())):
        if isinstance(node, ast.keyword) and node.arg == "why":
            parts = node.value.values if isinstance(node.value, ast.BoolOp) else [node.value]
            yield from (str(part.value) for part in parts if isinstance(part, ast.Constant))


def of_strings(tree: ast.AST) -> collections.abc.Iterator[str]:
    """Each text of a module, with `{}` for what is put into it."""
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else None for part in node.values]
            yield "".join(str(part) if part is not None else "{}" for part in parts)


def of_states() -> collections.abc.Iterator[str]:
    """Causes and cures, of which the table has the most common: in a module a text may be one of several sentences, or
    stand behind another one."""
    core = pathlib.Path(lamps.__file__).parents[1]
    modules = [
        *core.joinpath("served").glob("*.py"),
        *core.joinpath("issuance").rglob("*.py"),
        core / "certificates" / "certificate_faults.py",
        core / "dashboard" / "gate_totals.py",
        core / "site_overlays.py",
        *core.parent.joinpath("certs").rglob("*.py"),
        *core.parent.joinpath("sources", "docker").glob("*.py"),
    ]
    for path in modules:
        for text in of_strings(ast.parse(path.read_text())):
            for one in (text, *text.split("; ")):
                yield number(one)
                yield number(one.removeprefix("{}"))
                yield number(one.removesuffix("{}"))


def of_preflight() -> collections.abc.Iterator[str]:
    """All that is said of what was looked at before an order and was not as it should be, each of its sentences."""
    for path in pathlib.Path(preflight_words.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                node.value.value = ""  # a docstring
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "good":
                node.args = []
        for text in of_strings(tree):
            for one in text.split("; "):
                number_of_words = len(one.split())
                if number_of_words > 2 or (number_of_words > 1 and "{}" in one):
                    yield number(re.sub(r"^\{\}(?=[a-z])", "", one))


NO_SENTENCES = {
    *("%Y-%m-%d %H:%M:%S UTC", "{0} minutes", "{0} hours", "{0} days"),
    *('{0} CAA 0 {1} "{2}"', "{0}: {1}"),
}
"""What stands in sentences as it is."""


def number(text: str) -> str:
    numbers = itertools.count()
    return re.sub(r"\{\}", lambda _: f"{{{next(numbers)}}}", text)


FRAMES = {
    "route {0}: {1}",
    "{0} (and {1} more)",
    "`daemun certs renew {0}` tries at once",
    "no certificate is asked for {0}: {1}: {2}",
    "before that, daemun found: {0}: {1}",
}
"""Of texts that are put together of others."""
STATES = {one for one in of_states() if one in TABLE} | FRAMES
NEEDED = {
    *STATES,
    *(set(of_preflight()) - NO_SENTENCES),
    *of_forms(),
    *of_endpoints(),
    *of_commands(),
    *of_weaknesses(),
    *of_lamps(),
}


def test_none_is_missing_and_none_is_left_over() -> None:
    assert len(NEEDED) > 300
    assert NEEDED - TABLE.keys() == set(), "to be translated"
    assert TABLE.keys() - NEEDED == set(), "of nothing that is declared any more"


@pytest.mark.parametrize("english", sorted(TABLE))
def test_a_translation_keeps_what_people_write(english: str) -> None:
    """The code of a text stands in the other language, too, whatever the order."""
    assert TABLE[english] != english
    assert re.search(r"[가-힣]", TABLE[english])
    assert set(re.findall(r"`([^`]+)`", TABLE[english])) == set(re.findall(r"`([^`]+)`", english))
    numbers = re.compile(r"(?<![\w.])\d+(?:\.\d+)*[a-z]?(?!\w|\.\d)", re.ASCII)
    assert set(numbers.findall(english)) <= {*numbers.findall(TABLE[english]), *re.findall(r"\d+", TABLE[english])}


def test_a_text_of_several_keys() -> None:
    translated = declared_texts.translate("http: the port of plain HTTP; none; https: the port of HTTPS; none", "ko")
    assert translated == "http: 암호화되지 않은 HTTP의 포트. 기본 없음; https: HTTPS의 포트. 기본 없음"
    for text in ("", "a <b> of a stranger", "a: b; c: d"):
        assert declared_texts.translate(text, "ko") == text
        assert declared_texts.translate(text, "en") == text


def test_the_editor_completes_in_korean() -> None:
    nodes = completion.reduce_schema(yaml_schema.make_schema(), lambda text: declared_texts.translate(text, "ko"))
    keys = nodes["nodes"][nodes["root"]]["keys"]
    assert keys["http3"][0].startswith("모든 사이트나 이 사이트의 HTTP/3")
    assert keys["listen"][0].startswith("http: 방문자가 들어오는 곳")


@pytest.mark.parametrize(
    ("english", "korean"),
    [
        (
            "10.0.0.7:80 refuses connections: nothing listens there",
            "10.0.0.7:80: 연결을 거부합니다. 그곳에서 듣고 있는 것이 없습니다",
        ),
        (
            "route /api/: 10.0.0.7:80 takes the connection and does not answer within 10 s (and 2 more)",
            "경로 /api/: 10.0.0.7:80: 연결은 받지만 10초 안에 응답하지 않습니다 (외 2개)",
        ),
        (
            "daemun tries again at 2026-03-01 12:00 UTC; `daemun certs renew a.test` tries at once",
            "daemun이 2026-03-01 12:00 UTC에 다시 시도합니다. `daemun certs renew a.test` 명령은 바로 시도합니다",
        ),
        ("the CA's rate limit is reached", "CA의 요청 한도에 이르렀습니다"),
        ("its certificate is not as asked for: <b>{0}</b>", "인증서가 설정한 것과 다릅니다: <b>{0}</b>"),
        ("does not exist in DNS (NXDOMAIN); something else", "does not exist in DNS (NXDOMAIN); something else"),
        ("no such sentence", "no such sentence"),
    ],
)
def test_causes_and_cures_keep_their_values(english: str, korean: str) -> None:
    assert declared_texts.translate(english, "ko") == korean
    assert declared_texts.translate(english, "en") == english


def test_the_most_common_states_have_a_korean_form() -> None:
    """As what judges them makes them."""
    aim = model.Aim(
        host="a.test",
        path="/",
        written="http://app:80",
        scheme=model.Scheme.HTTP,
        tls=model.UpstreamTls(),
        sees="a.test",
        named="app",
    )
    found = [
        server_answers.refused(aim, "app:80", in_container=False),
        server_answers.without_connection("app:80"),
        server_answers.without_answer("app:80"),
        server_answers.closed("app:80"),
        server_answers.unreachable("app:80", "no route to host"),
        server_answers.unresolved(aim),
        server_answers.speaks_tls(aim, "app:80"),
    ]
    for one in found:
        for text in (one.cause, one.cure):
            assert text is not None
            assert re.search(r"[가-힣]", declared_texts.translate(text, "ko")), text


def test_what_was_looked_at_before_an_order_has_a_korean_form() -> None:
    """As it stands where a certificate is not ordered for it, or its order failed."""
    host = "a.test"
    context = facts.OrderContext(host=host, is_public=True)
    own, other = ipaddress.ip_address("9.9.9.9"), ipaddress.ip_address("8.8.8.8")
    here = facts.ThisMachine(addresses=frozenset({own}), listens=True)
    visits = [facts.PreflightVisit(address=other, reach=reach, detail="HTTP 200") for reach in facts.Reach]
    found = [
        *name_addresses.judge_names(facts.Names(addresses=(), exists=False), context, here),
        *name_addresses.judge_names(facts.Names(addresses=(), exists=True), context, here),
        *name_addresses.judge_names(facts.Names(addresses=(ipaddress.ip_address("10.0.0.1"),)), context, here),
        *(one for visit in visits for one in port80.judge_visits([visit], context, here)),
        *port80.judge_visits(visits, context, here),
    ]
    wrong = [one for one in found if one.weight is not model.Weight.GOOD]
    assert len(wrong) > 15
    for one in wrong:
        for text in (f'no certificate is asked for "{host}": {one}', f"before that, daemun found: {one}"):
            translated = declared_texts.translate(text, "ko")
            left = re.sub(r"`[^`]*`|[A-Za-z0-9/.:_-]*[./:_-][A-Za-z0-9/.:_-]*", "", translated)
            assert not re.search(r"\b[a-z]{3,} [a-z]{3,}\b", left), (text, translated)


def test_what_strangers_write_takes_no_time_and_stays() -> None:
    for text in ("{0}" * 300, "route " * 150 + ":" * 90, " cannot be reached: " * 49, "a; " * 300):
        assert len(declared_texts.translate(text, "ko")) < 2000
    long = "its certificate is not as asked for: " + "x" * declared_texts.LONGEST_SENTENCE
    assert declared_texts.translate(long, "ko") == long
