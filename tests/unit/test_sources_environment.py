"""Settings from the environment, where there is no file."""

import pytest

from daemun.core import model
from daemun.core.options import docker_option, trusted_proxies_option
from daemun.errors import ConfigError
from daemun.sources import environment_source


def test_an_empty_environment_means_the_defaults() -> None:
    assert environment_source.read_snapshot({"DAEMUN_EMAIL": "", "PATH": "/bin"}).globals == model.Globals()


def test_what_the_variables_mean() -> None:
    found = environment_source.read_snapshot(
        {
            "DAEMUN_EMAIL": "me@example.com",
            "DAEMUN_DIRECTORY": "letsencrypt-staging",
            "DAEMUN_CA_FILE": "/ca.pem",
            "DAEMUN_RESERVE": "Admin.test, *.corp.test,",
            "DAEMUN_TRUSTED_PROXIES": "10.0.0.0/8,fd00::/8",
        }
    ).globals

    assert found is not None
    assert found.acme.authorities[0].email == "me@example.com"
    assert "staging" in found.acme.directory
    assert found.acme.authorities[0].ca_file == "/ca.pem"
    assert docker_option.OPTION.of(found).reserved == ("admin.test", "*.corp.test")
    assert trusted_proxies_option.OPTION.of(found) == ("10.0.0.0/8", "fd00::/8")


def test_every_mistake_is_told_with_its_variable() -> None:
    with pytest.raises(ConfigError) as caught:
        environment_source.read_snapshot(
            {
                "DAEMUN_EMAIL": "me",
                "DAEMUN_DIRECTORY": "letsencript",
                "DAEMUN_CA_FILE": "ca.pem",
                "DAEMUN_RESERVE": "a..test",
                "DAEMUN_STREAM_PORTS": "70000",
                "DAEMUN_TRUSTED_PROXIES": "all",
            }
        )

    told = str(caught.value).splitlines()
    assert sorted(line.split(":")[0] for line in told) == sorted(environment_source.VARIABLES)
    assert any('did you mean "letsencrypt"?' in line for line in told)
