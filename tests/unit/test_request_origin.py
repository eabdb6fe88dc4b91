"""Which changes come from a page of another host."""

import pytest

from daemun.core.access import request_origin

OURS = "https://gate.test:8443"


@pytest.mark.parametrize(
    ("origin", "fetch_site", "of_page", "of_program"),
    [
        (OURS, None, False, False),
        (OURS.upper(), "cross-site", False, False),
        ("https://gate.test", None, True, True),
        ("https://gate.test:8444", "same-site", True, True),
        ("http://gate.test:8443", None, True, True),
        ("https://gate.test.evil.test:8443", None, True, True),
        ("https://evil.test", "same-origin", True, True),
        ("null", None, True, True),
        ("", None, True, True),
        (None, "same-origin", False, False),
        (None, "same-site", True, True),
        (None, "cross-site", True, True),
        (None, "none", True, False),
        (None, None, True, False),
    ],
)
def test_what_changes_something(origin: str | None, fetch_site: str | None, of_page: bool, of_program: bool) -> None:
    for takes_programs, is_foreign in ((False, of_page), (True, of_program)):
        found = request_origin.is_foreign(
            "POST", origin=origin, fetch_site=fetch_site, ours=OURS, takes_programs=takes_programs
        )
        assert found == is_foreign


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_changes_nothing(method: str) -> None:
    assert not request_origin.is_foreign(method, origin="https://evil.test", fetch_site="cross-site", ours=OURS)


@pytest.mark.parametrize(("proto", "scheme"), [("https", "https"), ("http", "http"), (None, "https"), ("ftp", "https")])
def test_the_origin_of_a_request(proto: str | None, scheme: str) -> None:
    assert request_origin.make_ours(proto, "gate.test:8443") == f"{scheme}://gate.test:8443"
