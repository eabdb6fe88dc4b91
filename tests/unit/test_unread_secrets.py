"""Secrets that are not where the file has them."""

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


EVERYWHERE = """\
acme:
  eab: {kid: a, hmac_key: {file: one}}
  dns: {provider: cloudflare, auth_token: {file: two}}
alerts:
  webhook:
    - https://good.test/
    - file:three
  ntfy:
    url: https://ntfy.test/x
    token: file:four
  smtp:
    server: mail.test
    from: a@b.test
    to: c@d.test
    user: a
    password: {file: five}
tracing: {endpoint: "http://127.0.0.1:4318", sample: 1%, headers: {X-Key: file:seven}}
defaults: {tls: {directory: {directory: https://ca.test/dir, eab: {kid: a, hmac_key: file:six}}}}
sites:
  a.test: http://a
  b.test: http://b
  c.test:
    tls: {dns: {provider: cloudflare, auth_token: file:nine}}
    routes: {/: http://c}
  d.test:
    enabled: false
    tls: {dns: {provider: cloudflare, auth_token: file:eight}}
    routes: {/: http://d}
"""
PLACES = {
    "acme.eab.hmac_key": ("2:17", "one"),
    "acme.dns.auth_token": ("3:31", "two"),
    "alerts.webhook.url": ("7:7", "three"),
    "alerts.ntfy.token": ("10:12", "four"),
    "alerts.smtp.password": ("16:5", "five"),
    "tracing.headers.X-Key": ("17:75", "seven"),
    'site "a.test", tls.directory.eab.hmac_key': ("20:11", "six"),
    'site "c.test", tls.dns.auth_token': ("23:51", "nine"),
}


def unread(path: pathlib.Path) -> list[str]:
    with pytest.raises(yaml_file.InvalidFileError) as caught:
        yaml_file.YamlFile(path, reads_secrets=True).read_now()
    return [str(one) for one in caught.value.problems]


def test_secrets_of_every_option_are_tried(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "daemun.yaml"
    file.write_text(EVERYWHERE)
    found = unread(file)
    assert len(found) == len(PLACES)
    for message, (field, (place, name)) in zip(found, PLACES.items(), strict=True):
        cure = "no such file or directory; correct the path or its rights"
        assert message == f"daemun.yaml:{place}: {field}: cannot read the secret in {tmp_path / name}: {cure}"
    for _, name in PLACES.values():
        (tmp_path / name).write_text("x\n")
    assert yaml_file.YamlFile(file, reads_secrets=True).read_now().problems == ()


def test_the_account_of_one_ca_of_several(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "daemun.yaml"
    file.write_text(
        "acme:\n  directory:\n    - letsencrypt\n    - directory: zerossl\n      eab:\n"
        "        kid: a\n        hmac_key: file:one\nsites: {}\n"
    )
    (message,) = unread(file)
    assert message.startswith("daemun.yaml:7:19: acme.eab.hmac_key: cannot read the secret in ")
