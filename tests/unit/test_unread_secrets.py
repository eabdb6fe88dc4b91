"""Secrets of CrowdSec and of identity providers that are not where the file has them."""

import pathlib

import pytest

from daemun.core import model
from daemun.errors import ConfigError
from daemun.sources import yaml_file

PROVIDER = "{oidc: https://%s.test, client_id: a, client_secret: %s}"


def test_each_file_is_reported_at_its_place(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "daemun.yaml"
    providers = "".join(f"    - {PROVIDER % (name, 'file:' + name)}\n" for name in ("one", "two", "three"))
    file.write_text(
        f"crowdsec:\n  url: http://127.0.0.1:8080\n  key: {{file: ./no.key}}\nlogin:\n  host: x.test\n"
        f"  providers:\n{providers}sites: {{}}\n"
    )
    (tmp_path / "two").write_text("good\n")
    (tmp_path / "three").write_text("\n")
    assert yaml_file.YamlFile(file).read_now().problems == ()
    with pytest.raises(yaml_file.InvalidFileError) as caught:
        yaml_file.YamlFile(file, reads_secrets=True).read_now()
    first, second, third = map(str, caught.value.problems)
    assert first.startswith("daemun.yaml:3:3: crowdsec.key: cannot read the secret in ")
    assert second.startswith("daemun.yaml:7:")
    assert "no such file" in second
    assert third.startswith("daemun.yaml:9:")
    assert "is empty" in third
    assert isinstance(caught.value, ConfigError)


@pytest.mark.parametrize(
    "written", ["./crowdsec.key", "../a/key", "/run/secrets/crowdsec", "crowdsec.key", "~/key.txt"]
)
@pytest.mark.parametrize(
    "text",
    [
        "crowdsec: {url: http://127.0.0.1:8080, key: %s}\nsites: {}",
        "login: {host: x.test, providers: [{oidc: https://id.test, client_id: a, client_secret: %s}]}\nsites: {}",
    ],
)
def test_a_path_in_place_of_a_secret(text: str, written: str) -> None:
    (problem,) = yaml_file.parse(text % written, file_name="daemun.yaml", base_dir="/etc").problems
    assert problem.severity is model.Severity.WARNING
    assert problem.message.endswith(f"write {{file: {written}}}")
    cured = yaml_file.parse(text % f"{{file: {written}}}", file_name="daemun.yaml", base_dir="/etc")
    assert cured.problems == ()


@pytest.mark.parametrize("secret", ["/9aBcd/EfGhi+jk=", "aBc.dEf", "gho_16C7e42F292c6912E7", "a/b/c"])
def test_a_secret_is_no_path(secret: str) -> None:
    text = f"crowdsec: {{url: http://127.0.0.1:8080, key: {secret}}}\nsites: {{}}"
    assert yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc").problems == ()
