"""Where installed nginx builds are looked for, and what of apt's settings is taken over."""

import pathlib

import pytest

from daemun.nginx.builds import debian_packages, installed_builds


@pytest.mark.parametrize(
    ("prefix", "has_own", "expected"),
    [
        ("/opt/daemun/versions/0.1.0-abc", True, "/opt/daemun/nginx"),  # make install
        ("/opt/daemun", True, "/opt/daemun/nginx"),  # the image
        ("/home/a/daemun/.venv", True, "/home/a/daemun/.venv/nginx"),  # a clone
        ("/usr", False, "/opt/daemun/nginx"),
    ],
)
def test_the_shared_folder_is_beside_daemun_whatever_its_version(prefix: str, has_own: bool, expected: str) -> None:
    assert installed_builds.find_shared(prefix, has_own=has_own) == pathlib.Path(expected)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('Acquire::http::Proxy "http://proxy.test:3128/";', True),
        ('Acquire::https::CAInfo "/etc/ssl/own.pem";', True),
        ('Acquire::ForceIPv4 "true";', True),
        ('Acquire::http "";', False),
        ('Acquire::Check-Valid-Until "false";', False),
        ('Acquire::AllowInsecureRepositories "true";', False),
        ('APT::Update::Post-Invoke:: "rm -f /var/cache/apt/archives/*.deb";', False),
        ('Dir::Etc "etc/apt";', False),
    ],
)
def test_of_the_systems_settings_only_those_for_the_network_are_taken_over(line: str, expected: bool) -> None:
    assert debian_packages.is_for_network(line) is expected
