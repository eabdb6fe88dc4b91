"""Options are found by their name, or by what they mean."""

import pytest

from daemun.core.options import catalogue, option_search


@pytest.mark.parametrize("text", ["hsts", "HSTS ", "trusted-proxies", "trusted_proxies", "max_body"])
def test_the_one_of_that_name_is_first(text: str) -> None:
    found = option_search.find(text, 10)
    assert found[0].name == text.strip().lower().replace("-", "_")
    assert found[0].meaning and found[0].levels


def test_every_option_is_found_by_its_name() -> None:
    for one in catalogue.EVERY:
        assert option_search.find(one.name, 1)[0].name == one.name


def test_names_come_before_meanings() -> None:
    found = [one.name for one in option_search.find("timeout", 50)]
    named = [name for name in found if "timeout" in name]
    assert found[: len(named)] == named


@pytest.mark.parametrize("text", ["", " ", "no_such_option_at_all", "<script>", "\0"])
def test_nothing(text: str) -> None:
    assert option_search.find(text, 10) == []


def test_it_is_bounded() -> None:
    assert len(option_search.find("a", 5)) == 5
