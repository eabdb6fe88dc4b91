"""What looks like a secret is hidden in a text, once; all else stays."""

import hypothesis
import pytest
from hypothesis import strategies

from daemun.core.texts import secret_forms


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:pw@h/?token=a&b=c&sig=d", "https://me:(hidden)@h/?token=(hidden)&b=c&sig=(hidden)"),
        ("Authorization: Bearer abcdefgh", "Authorization: Bearer (hidden)"),
        ("a $2y$05$abc and {SHA}abc=", "a (hidden) and (hidden)"),
        ("://a:b?token=c@d", "://a:(hidden)"),
        ("$http_x_token = 'abc')", "$http_x_token = '(hidden)')"),
        ("-----BEGIN PRIVATE KEY-----abc-----END", "-----BEGIN PRIVATE KEY-----(hidden)-----END"),
        ("set $api_key abc; # token: def", "set $api_key (hidden); # token: (hidden)"),
    ],
)
def test_secrets_are_hidden_once(text: str, shown: str) -> None:
    assert secret_forms.hide(text) == shown
    assert secret_forms.hide(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "shop.example.com",
        "http://127.0.0.1:8080/a?page=2",
        "2026-11-30T09:10:11Z",
        "[::1]:80, unix:/run/a.sock",
        "me@example.com",
        "token: a1b2",
        "?token=(hidden 1)",
        "`daemun tokens add NAME`: é \U0001f512 \n",
    ],
)
def test_all_else_stays(text: str) -> None:
    assert secret_forms.hide(text) == text


_PIECES = (
    "://",
    "/",
    ":",
    "-----",
    "BEGIN",
    "PRIVATE",
    "KEY",
    "token",
    "secret_link_md5",
    "Bearer",
    "a1.",
    "me@",
    "*,+",
)


@hypothesis.given(strategies.lists(strategies.sampled_from(_PIECES), max_size=12))
def test_no_secret_has_the_form_that_most_texts_have(pieces: list[str]) -> None:
    """What is not searched has nothing to find."""
    text = "".join(pieces)
    assert secret_forms._PLAIN.fullmatch(text) is None or list(secret_forms.find(text)) == []


def test_values_of_json() -> None:
    value = {"a": ["?token=x", 1, None, True, ("?key=y",)], "?pass=z": 1.5}
    shown = {"a": ["?token=(hidden)", 1, None, True, ["?key=(hidden)"]], "?pass=(hidden)": 1.5}
    assert secret_forms.hide_in(value) == shown


@pytest.mark.parametrize("piece", ["a", "?token=", "://a:", "(hidden", "#token:"])
def test_a_long_text_is_searched_in_one_pass(piece: str) -> None:
    assert secret_forms.hide(piece * 10**5)
