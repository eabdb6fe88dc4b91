"""Which of the places that apt knows is taken for Debian's newest packages."""

import pytest

from daemun.nginx.builds import debian_packages


@pytest.mark.parametrize(
    ("targets", "mirror"),
    [
        ("Debian|Debian|http://m.test/x/\n", "http://m.test/x"),
        ("Debian|Debian-Security|http://m.test/s/\nDebian|Debian|https://m.test/x\n", "https://m.test/x"),
        ("||http://m.test/debian-security/\n||http://m.test/debian/\n", "http://m.test/debian"),  # before an update
        ("Ubuntu|Ubuntu|http://m.test/ubuntu/\n", None),
        ("Debian|Debian|cdrom:[Debian]/\n", None),
        ("", None),
        ("nonsense\n", None),
    ],
)
def test_the_mirror_of_debian_that_apt_uses(targets: str, mirror: str | None) -> None:
    assert debian_packages.choose_mirror(targets) == mirror
