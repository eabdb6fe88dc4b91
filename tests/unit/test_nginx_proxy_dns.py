"""ACME_CHALLENGE and ACMESH_DNS_API_CONFIG of acme-companion: as its documentation writes them, and what is told."""

import pytest

from daemun import dns_providers
from daemun.core import model
from daemun.sources.docker import nginx_proxy_dns, nginx_proxy_folders, nginx_proxy_gate

AS_JSON = "{'DNS_API': 'dns_cf', 'DNS_SLEEP': 900, 'CF_Key': 'hush', 'CF_Email': 'me@example.com'}"
AS_YAML = "DNS_API: dns_cf\nDNS_SLEEP: 900\nCF_Key: hush\nCF_Email: me@example.com\n"


def acme(**environ: str) -> tuple[model.Acme, str]:
    gate = nginx_proxy_gate.read_gate(environ)
    said = "\n".join(note for note in gate.notes if "ACME" in note)
    return gate.apply(model.Globals(), nginx_proxy_folders.Folders()).acme, said


@pytest.mark.parametrize("text", [AS_JSON, AS_YAML])
def test_as_the_companion_documents_it(text: str) -> None:
    found, said = acme(ACME_CHALLENGE="DNS-01", ACMESH_DNS_API_CONFIG=text)
    assert said == ""
    assert found.challenge is model.Challenge.DNS_01
    assert found.dns is not None and found.dns.provider == "cloudflare"
    told = {name: secret.text for name, secret in found.dns.options}
    assert told == {"auth_token": "hush", "auth_username": "me@example.com"}


def test_a_token_of_one_zone() -> None:
    found = nginx_proxy_dns.read("{DNS_API: dns_cf, CF_Token: hush, CF_Account_ID: a, CF_Zone_ID: z}")
    assert {name: secret.text for name, secret in found.options} == {"auth_token": "hush", "zone_id": "z"}


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"ACME_CHALLENGE": "DNS-01"}, "ACME_CHALLENGE: DNS-01 needs ACMESH_DNS_API_CONFIG"),
        ({"ACME_CHALLENGE": "TLS"}, 'ACME_CHALLENGE: expected HTTP-01 or DNS-01, found "TLS"'),
        ({"ACMESH_DNS_API_CONFIG": "{DNS_API: dns_none, KEY: hush}"}, 'DNS_API "dns_none" is not known here'),
        ({"ACMESH_DNS_API_CONFIG": "{DNS_API: dns_cf, CF_Key: hush}"}, "needs CF_Token or CF_Key and CF_Email"),
        ({"ACMESH_DNS_API_CONFIG": "hush"}, "expected a map with DNS_API, found a text"),
        ({"ACMESH_DNS_API_CONFIG": "{hush: "}, "is not YAML"),
    ],
)
def test_what_cannot_be_used_is_told(environ: dict[str, str], words: str) -> None:
    found, said = acme(**environ)
    assert words in said
    assert "hush" not in said
    assert (found.challenge, found.dns) == (None, None)


def test_the_options_are_those_of_the_providers() -> None:
    for ways in nginx_proxy_dns.APIS.values():
        for provider, variables in ways:
            assert set(variables.values()) <= set(dns_providers.find_options(provider)), provider
