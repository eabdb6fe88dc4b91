"""The guess comes before the keys that there are, of which there may be forty."""

from daemun.sources import yaml_words


def test_the_guess_comes_first() -> None:
    message = yaml_words.unknown_key("too", ("to", "redirect", "files"))
    assert message == 'unknown key "too": did you mean "to"? expected one of files, redirect, to'


def test_without_a_guess() -> None:
    assert yaml_words.unknown_key("zzz", ("to", "files")) == 'unknown key "zzz": expected one of files, to'
