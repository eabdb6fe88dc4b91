"""Who makes records in DNS: what is refused, with which words, and what is not."""

import contextlib
import pathlib

import pytest

from daemun import dns_providers
from daemun.core import model, problem_report, validate_dns
from daemun.errors import ConfigError
from daemun.sources import yaml_file

KEY = {"key_name": "update", "key_secret": "c2VjcmV0"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"server": "192.0.2.1"}, ""),
        (
            {"server": "ns1.example.com", "port": "5353", "zone": "example.com", "key_algorithm": "hmac-sha512", **KEY},
            "",
        ),
        ({}, "dns: is missing; `provider: rfc2136` needs the name or the address"),
        ({"server": "x", "sever": "x"}, "dns.sever: is no option of `provider: rfc2136`; expected server, port, zone,"),
        ({"server": "x", "sever": "x"}, 'did you mean "server"?'),
        ({"server": "x", "key_name": "k"}, "dns.key_name: needs `key_secret` beside it"),
        ({"server": "x", "key_secret": "k"}, "dns.key_secret: needs `key_name` beside it"),
        ({"server": "x", "port": "dns"}, 'dns.port: "dns" is no port from 1 to 65535'),
        ({"server": "x", "key_algorithm": "sha256", **KEY}, 'did you mean "hmac-sha256"?'),
    ],
)
def test_dynamic_update(options: dict[str, str], words: str) -> None:
    found = check(model.Dns(provider=model.RFC2136, options=secrets(options)))
    assert (words in found) if words else not found
    assert "c2VjcmV0" not in found


def test_a_program_takes_no_options() -> None:
    found = check(model.Dns(provider=model.HOOK, command=("/bin/hook",), options=secrets({"token": "t0ken"})))
    assert "dns.token: is no option of `provider: hook`; it takes none" in found
    assert "t0ken" not in found


def check(dns: model.Dns) -> str:
    found = problem_report.ProblemReport(host=None, origin=model.NOWHERE)
    validate_dns.check_dns(dns, found, "dns")
    return "\n".join(problem.message for problem in found.problems)


def secrets(options: dict[str, str]) -> tuple[tuple[str, model.Secret], ...]:
    return tuple((name, model.Secret(text=text)) for name, text in options.items())


# --- providers of dns-lexicon --------------------------------------------------------------------------------------


def test_the_providers_and_their_options_are_known() -> None:
    assert {"cloudflare", "ovh", "powerdns", "route53"} <= set(dns_providers.find_providers())
    assert dns_providers.find_options("cloudflare") == ("auth_token", "auth_username", "ttl", "zone_id")
    assert dns_providers.find_options("../cloudflare") == ()
    assert dns_providers.find_missing_package("cloudflare") is None


@pytest.mark.parametrize(
    ("dns", "words"),
    [
        ("{provider: cloudflare, auth_token: {env: TOKEN}}", ""),
        ("{provider: cloudflair, auth_token: x}", 'daemun.yaml:2:19: acme.dns.provider: "cloudflair" is no provider'),
        ("{provider: cloudflair, auth_token: x}", 'did you mean "cloudflare"?'),
        ("{provider: zzz}", "known are rfc2136, hook, aliyun,"),
        ("{provider: cloudflare, auth_tokn: hush}", "is no option of `provider: cloudflare`; expected auth_token,"),
        (
            "{provider: cloudflare}",
            "daemun.yaml:2:3: acme.dns: has nothing by which `provider: cloudflare` lets daemun in; "
            "expected auth_token or auth_username beside it",
        ),
        ("{provider: cloudflare, ttl: '60'}", "has nothing by which"),
        ("{provider: ionos}", "expected api_key beside it"),
        ("{provider: hook, command: [/bin/hook]}", ""),
        ("{provider: route53}", 'needs the package boto3: pip install "dns-lexicon[route53]"'),
    ],
)
def test_the_file_is_checked(tmp_path: pathlib.Path, dns: str, words: str) -> None:
    path = tmp_path / "daemun.yaml"
    path.write_text(f"acme:\n  dns: {dns}\nsites: {{}}\n")
    assert_told(path, words)


def test_credentials_that_a_provider_finds_itself(tmp_path: pathlib.Path) -> None:
    """boto3 and oci read files in a home, and take roles of machines in their clouds."""
    path = tmp_path / "daemun.yaml"
    for provider in ("route53", "oci"):
        path.write_text(f"acme: {{dns: {{provider: {provider}}}}}\nsites: {{}}\n")
        with contextlib.suppress(ConfigError):
            yaml_file.read_snapshot(path)
            continue
        with pytest.raises(ConfigError) as caught:
            yaml_file.read_snapshot(path)
        assert "has nothing by which" not in str(caught.value)


def test_of_a_site(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "daemun.yaml"
    path.write_text("sites:\n  a.com:\n    tls: {dns: {provider: cloudfare}}\n    routes: {/: http://x}\n")
    assert_told(path, 'daemun.yaml:3:27: site "a.com", tls.dns.provider: "cloudfare" is no provider')


def assert_told(path: pathlib.Path, words: str) -> None:
    if not words:
        yaml_file.read_snapshot(path)
        return
    with pytest.raises(ConfigError) as caught:
        yaml_file.read_snapshot(path)
    assert words in str(caught.value)
    assert "hush" not in str(caught.value)
