"""Where a form may lead, and what is read of one."""

import pytest

from daemun.dashboard import form_body


@pytest.mark.parametrize(
    "address", ["/", "/sites?q=a%26b&page=2", "/sites/a.test#log", "/sites/a.test/why?subject=https://a.test"]
)
def test_pages_of_this_host(address: str) -> None:
    assert form_body.local_path(address) == address


@pytest.mark.parametrize(
    "address",
    ["", "sites", "//a.test", "///a.test", "/\\a.test", "/\t/a.test", "/\n/a.test", "https://a.test/",
     "javascript:alert(1)", "/a\r\nSet-Cookie: a=b", "/é", "/" + "a" * 3000, "\\\\a.test", "/a b", '/"><script>',
     "/..//a.test", "/.//a.test", "/%2e%2e//a.test", "/x/..//a.test"],
)  # fmt: skip
def test_no_other_host(address: str) -> None:
    assert form_body.local_path(address) == "/"
