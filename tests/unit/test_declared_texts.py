"""What declarations have in English has a Korean text for the pages: none is missing, and none is left over."""

import ast
import collections.abc
import pathlib
import re

import pytest

from daemun import package_data
from daemun.core.dashboard import lamps
from daemun.core.nginx_builds import nginx_weaknesses
from daemun.core.options import catalogue, option
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


NEEDED = {*of_forms(), *of_endpoints(), *of_commands(), *of_weaknesses(), *of_lamps()}


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
