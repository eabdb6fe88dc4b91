"""One Korean word for each idea, on all pages, as docs/GLOSSARY.md has one English word."""

import pathlib
import re

import pytest

import daemun

ROOT = pathlib.Path(daemun.__file__).parent
README = pathlib.Path(__file__).parents[2] / "README.ko.md"
NOT_USED = {
    "라벨": "레이블",  # label
    "반영": "적용",  # apply
    "취소": "되돌리기",  # undo; what is withdrawn is 폐기
    "삭제": "제거",  # remove
    "작업자": "워커",  # a worker of nginx
    "관문": "게이트",  # the gate
    "에러": "오류",  # error
    "라우트": "경로",  # route
    "백엔드": "서버",  # a server behind a site
    "웹사이트": "사이트",  # site
    "드래프트": "초안",  # draft
    "히스토리": "기록",  # history
    "이력": "기록",
    "유지보수": "점검",  # maintenance
    "정비": "점검",
    "사인인": "로그인",  # sign-in
    "리로드": "다시 읽기",  # reload
    "재발급": "갱신",  # renewal
    "운영자": "사용자",  # who uses the dashboard
    "관리자": "소유자",  # who has the role own
    "테스트": "시험",  # test, try
    "처방": "해결",  # cure
    "조치": "해결",
}
"""What would be a second word for an idea, and the one that it has."""
_KOREAN = re.compile("[가-힣]")


def find_texts() -> list[pathlib.Path]:
    found = [*ROOT.rglob("*.py"), *ROOT.rglob("*.toml"), *ROOT.rglob("*.html")]
    return [README, *sorted(path for path in found if _KOREAN.search(path.read_text()))]


@pytest.mark.parametrize("path", find_texts(), ids=lambda path: path.name)
def test_no_idea_has_two_words(path: pathlib.Path) -> None:
    words = re.findall("[가-힣]+", path.read_text())
    found = {f"{word}: {used}" for word in words for other, used in NOT_USED.items() if word.startswith(other)}
    assert found == set()


def test_both_languages_are_found() -> None:
    names = {path.name for path in find_texts()}
    assert {"ko.toml", "site.toml", "status_words.py", "login_pages.py", "README.ko.md"} <= names
