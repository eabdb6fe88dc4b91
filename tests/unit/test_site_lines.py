"""The lines of one site, and no secret in them nor in nginx's file."""

import pytest

from daemun.sources import site_lines
from daemun.sources.history import secret_masks

FILE = """\
# the gate
acme: {email: me@example.com}
sites:
  # the chat
  chat.example.com:
    routes:
      # all of it
      /: http://10.0.0.1

  # the shop
  shop.example.com: http://10.0.0.2
  last.example.com:
    request_headers:
      X-Api-Key: "s3cret"
      Authorization: |
        Bearer abcdefghijkl
        more
    routes: {/: http://10.0.0.3}

streams: {}
"""


@pytest.mark.parametrize(
    ("line", "first", "lines"),
    [
        (5, 4, ["  # the chat", "  chat.example.com:", "    routes:", "      # all of it", "      /: http://10.0.0.1"]),
        (11, 10, ["  # the shop", "  shop.example.com: http://10.0.0.2"]),
    ],
)
def test_lines_with_the_remarks_above_them(line: int, first: int, lines: list[str]) -> None:
    found = site_lines.cut("daemun.yaml", FILE, line)
    assert found is not None
    assert (found.first, found.text.split("\n")) == (first, lines)


@pytest.mark.parametrize("line", [0, 9, 99, 10**8])
def test_lines_that_are_not_there_any_more(line: int) -> None:
    assert site_lines.cut("daemun.yaml", FILE, line) is None


def test_a_site_of_very_many_lines() -> None:
    text = "sites:\n  a.test:\n" + "    x: 1\n" * 10_000
    found = site_lines.cut("daemun.yaml", text, 2)
    assert found is not None
    assert found.text.count("\n") == site_lines.MOST_LINES - 1


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("daemun.yaml:14:3", ("daemun.yaml", 14)),
        ("sites/a b.yaml:7", ("sites/a b.yaml", 7)),
        ("container chat-1", None),
        ("", None),
    ],
)
def test_places(place: str, found: tuple[str, int] | None) -> None:
    assert site_lines.parse_place(place) == found


def test_secrets_are_hidden_and_lines_keep_their_numbers() -> None:
    masked = secret_masks.mask(FILE.encode())
    assert masked is not None
    text = site_lines.without_secrets(masked)
    assert text.count("\n") == FILE.count("\n")
    assert "s3cret" not in text
    assert "abcdefghijkl" not in text
    found = site_lines.cut("daemun.yaml", text, 12)
    assert found is not None
    assert found.text.split("\n")[-1] == "    routes: {/: http://10.0.0.3}"


@pytest.mark.parametrize(
    ("yaml", "nginx"),
    [
        ('"s3cret"', 'proxy_set_header X-Api-Key "s3cret";'),
        ("'it''s a \"word\" of eight'", 'proxy_set_header X-Api-Key "it\'s a \\"word\\" of eight";'),
        ("ab", "proxy_set_header X-Api-Key ab;"),
        ('"caf\\u00e9 au lait"', 'proxy_set_header X-Other "café au lait";'),
    ],
)
def test_no_secret_in_nginx_however_it_is_written(yaml: str, nginx: str) -> None:
    masked = secret_masks.mask(f"sites: {{a.test: {{request_headers: {{X-Api-Key: {yaml}}}}}}}".encode())
    assert masked is not None
    assert masked.secrets
    shown = site_lines.hide_in_nginx(nginx, site_lines.find_values(masked))
    for word in ("s3cret", "eight", " ab;", "lait"):
        assert word not in shown


def test_what_is_no_secret_stays() -> None:
    text = "location / {\n    proxy_pass http://abc;\n    # ab-c\n}\n"
    assert site_lines.hide_in_nginx(text, frozenset({"ab"})) == text
