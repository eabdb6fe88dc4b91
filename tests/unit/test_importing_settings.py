"""Settings of other ACME clients, read without running anything, and what they are in daemun.yaml."""

import base64
import dataclasses
import pathlib
import textwrap

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from josepy import jwk

from daemun.certs.acme import acme_accounts
from daemun.certs.importing import acme_sh, certbot, found_items, gather, import_advice
from daemun.certs.served import local_ca
from daemun.control import account_port
from daemun.core import model
from daemun.sources import yaml_file
from daemun.store import memory_store
from tests.support import clock

CONF = """
# renew_before_expiry = 30 days
version = 5.8.0
fullchain = /etc/letsencrypt/live/a.example.com/fullchain.pem

# Options used in the renewal process
[renewalparams]
account = dab79a79891bc2c2cdbe68d25d800caa
authenticator = dns-cloudflare
dns_cloudflare_credentials = /root/.secrets/cf.ini
server = https://acme-v02.api.letsencrypt.org/directory
key_type = rsa
webroot_path = /var/www/html,
renew_hook = "systemctl reload postfix, dovecot"
[[webroot_map]]
a.example.com = /var/www/html
"""


def test_certbots_settings_are_read_without_its_library() -> None:
    found = certbot.parse_settings(CONF)
    assert found["authenticator"] == "dns-cloudflare"
    assert found["renew_hook"] == "systemctl reload postfix, dovecot"
    assert "version" not in found
    assert "a.example.com" not in found
    assert certbot.parse_settings("version = 1\n") == {}


def test_acme_shs_settings_are_values_not_commands() -> None:
    hook = base64.b64encode(b"/usr/local/bin/tell mail").decode()
    text = f"""
Le_Domain='a.example.com'
Le_Alt='no'
Le_ReloadCmd='__ACME_BASE64__START_{hook}__ACME_BASE64__END_'
Le_Webroot="dns_cf"
Le_Keylength=ec-256
Le_Evil='x' ; touch /tmp/pwned
Le_Worse=$(touch /tmp/pwned)
Le_Broken='__ACME_BASE64__START_%%__ACME_BASE64__END_'
"""
    found = acme_sh.parse_settings(text)
    assert found == {
        "Le_Domain": "a.example.com",
        "Le_Alt": "no",
        "Le_ReloadCmd": "/usr/local/bin/tell mail",
        "Le_Webroot": "dns_cf",
        "Le_Keylength": "ec-256",
        "Le_Broken": "",
    }


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 2048),
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP521R1()),
    ],
    ids=["rsa", "p-256", "p-384", "p-521"],
)
def test_account_keys_of_every_kind_that_cas_take(key: acme_accounts.Key) -> None:
    made = jwk.JWKRSA(key=key) if isinstance(key, rsa.RSAPrivateKey) else jwk.JWKEC(key=key)
    found = acme_accounts.parse_key(certbot.parse_jwk(made.json_dumps()))
    assert found.private_numbers() == key.private_numbers()
    expected = base64.urlsafe_b64encode(made.thumbprint()).rstrip(b"=").decode()
    assert acme_accounts.thumbprint(found) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a readable private JWK"),
        ("{}", "not a readable private JWK"),
        ("[]", "not a readable private JWK"),
        ('{"kty": "RSA", "n": "AQAB", "e": "AQAB"}', "not a readable private JWK"),
        ('{"kty": "oct", "k": "c2VjcmV0"}', "not a readable private JWK"),
        (jwk.JWKRSA(key=rsa.generate_private_key(65537, 1024)).json_dumps(), "has 1024 bits"),
    ],
)
def test_account_keys_that_no_ca_takes(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        certbot.parse_jwk(text)


def test_a_key_of_another_kind_is_refused() -> None:
    pem = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(ValueError, match="of another kind"):
        acme_accounts.parse_key(pem)


# --- in daemun.yaml ------------------------------------------------------------------------------------------------


def found_certificate(*names: str, directory: str) -> found_items.FoundCertificate:
    now = clock.FakeClock().now()
    issued = local_ca.load_or_create(memory_store.MemoryStore(), now).issue(names, now)
    return found_items.FoundCertificate(place=f"live/{names[0]}", directory=directory, bundle=issued)


def practice(name: str, **values: object) -> found_items.Practice:
    default = found_items.Practice(place=name, names=(name,), directory=model.LETS_ENCRYPT, method="webroot")
    return dataclasses.replace(default, **values)  # type: ignore[arg-type]


def read_back(lines: list[str], folder: pathlib.Path) -> model.Snapshot:
    """The lines as daemun reads them, with the sites they speak of."""
    file = folder / "daemun.yaml"
    file.write_text("\n".join([*lines, "sites: {a.example.com: 'http://127.0.0.1:1'}", ""]))
    return yaml_file.read_snapshot(file)


def test_usual_settings_need_no_lines() -> None:
    found = found_items.FoundTree(
        client="certbot",
        certificates=(found_certificate("a.example.com", directory=model.LETS_ENCRYPT),),
        practices=(practice("a.example.com", hooks=("systemctl reload nginx",)),),
    )
    assert import_advice.snippet(found) == []
    assert import_advice.remarks(found) == [
        "a.example.com: its names are proved over HTTP (webroot); nginx answers for daemun, nothing to set",
        'a.example.com: "systemctl reload nginx" is not needed: daemun\'s nginx takes a new certificate by itself',
    ]


def test_the_lines_mean_what_the_other_client_did(tmp_path: pathlib.Path) -> None:
    zerossl = "https://acme.zerossl.com/v2/DV90"
    key_pem = local_ca.private_pem(ec.generate_private_key(ec.SECP256R1()))
    found = found_items.FoundTree(
        client="certbot",
        accounts=(
            found_items.FoundAccount(
                place="accounts/1",
                found=account_port.ForeignAccount(
                    directory=model.LETS_ENCRYPT_STAGING, url=None, email="me@example.com", key_pem=key_pem
                ),
            ),
        ),
        certificates=(
            found_certificate("a.example.com", directory=model.LETS_ENCRYPT_STAGING),
            found_certificate("b.example.com", directory=model.LETS_ENCRYPT_STAGING),
            found_certificate("c.example.com", directory=zerossl),
        ),
        practices=(
            practice(
                "a.example.com",
                directory=model.LETS_ENCRYPT_STAGING,
                profile="tlsserver",
                hooks=('/usr/bin/tell "the mail" 1',),
            ),
            practice("c.example.com", directory=zerossl, hooks=("cd / && ./x \"y: 'z'\"",)),
        ),
    )
    lines = import_advice.snippet(found)
    read = read_back(lines[: lines.index("sites:")], tmp_path)
    assert read.globals is not None
    assert read.globals.acme.directory == model.LETS_ENCRYPT_STAGING
    assert read.globals.acme.authorities[0].email == "me@example.com"
    assert read.globals.acme.profile == "tlsserver"
    assert read.globals.acme.hook == ("/usr/bin/tell", "the mail", "1")
    assert textwrap.dedent("\n".join(lines[lines.index("sites:") :])).splitlines() == [
        "sites:",
        "  c.example.com:",
        "    tls: {directory: zerossl}",
    ]


def test_a_hook_that_needs_a_shell_gets_one_by_name(tmp_path: pathlib.Path) -> None:
    hook = "cd /srv && ./x \"y: 'z'\" # ä"
    found = found_items.FoundTree(client="certbot", practices=(practice("a.example.com", hooks=(hook,)),))
    read = read_back(import_advice.snippet(found), tmp_path)
    assert read.globals is not None
    assert read.globals.acme.hook == ("/bin/sh", "-c", hook)


def test_a_dns_plugin_becomes_a_provider_and_its_secrets_are_named() -> None:
    values = certbot.parse_settings(CONF)
    one = certbot.read_practice("renewal/a.conf", ("a.example.com",), values)
    found = found_items.FoundTree(client="certbot", practices=(one,))
    assert import_advice.snippet(found)[:4] == [
        "acme:",
        "  dns:",
        "    provider: cloudflare",
        "    # and its secrets, as in /root/.secrets/cf.ini (docs/certificates.md)",
    ]
    unknown = dataclasses.replace(one, method="dns-nowhere", dns=None)
    (line, *_) = import_advice.remarks(found_items.FoundTree(client="certbot", practices=(unknown,)))
    assert "proved in DNS by dns-nowhere; name the provider of dns-lexicon" in line


def test_of_several_accounts_at_a_ca_the_most_used_one_is_taken() -> None:
    def one(place: str, directory: str, uses: int, created: str) -> found_items.FoundAccount:
        key_pem = local_ca.private_pem(ec.generate_private_key(ec.SECP256R1()))
        found = account_port.ForeignAccount(
            directory=directory, url=f"{directory}/{place}", email=None, key_pem=key_pem
        )
        return found_items.FoundAccount(place=place, found=found, uses=uses, created=created)

    chosen, refusals = gather.choose_accounts(
        [
            one("unused", model.LETS_ENCRYPT, 0, "2026-01-01"),
            one("used", model.LETS_ENCRYPT, 3, "2020-01-01"),
            one("old", model.LETS_ENCRYPT_STAGING, 0, "2020-01-01"),
            one("new", model.LETS_ENCRYPT_STAGING, 0, "2026-01-01"),
        ]
    )
    assert [account_.place for account_ in chosen] == ["used", "new"]
    assert {refusal.place for refusal in refusals} == {"unused", "old"}
    assert refusals[0].reason == "another account of the same CA is used (used); daemun has one for each CA"
