"""ACMESH_DNS_API_CONFIG: who makes records in DNS, as acme.sh calls it, for dns-lexicon. Pure.

Source of the variables: github.com/acmesh-official/acme.sh/wiki/dnsapi. Values are secrets: no message shows one.
"""

from ruamel import yaml
from ruamel.yaml import error as yaml_error

from daemun.core import model
from daemun.core.texts import words

NAME = "ACMESH_DNS_API_CONFIG"
CHALLENGES = {"HTTP-01": model.Challenge.HTTP_01, "DNS-01": model.Challenge.DNS_01}

APIS: dict[str, tuple[tuple[str, dict[str, str]], ...]] = {
    "dns_ali": (("aliyun", {"Ali_Key": "auth_key_id", "Ali_Secret": "auth_secret"}),),
    "dns_cf": (
        ("cloudflare", {"CF_Token": "auth_token"}),
        ("cloudflare", {"CF_Key": "auth_token", "CF_Email": "auth_username"}),
    ),
    "dns_desec": (("desec", {"DEDYN_TOKEN": "auth_token"}),),
    "dns_dgon": (("digitalocean", {"DO_API_KEY": "auth_token"}),),
    "dns_duckdns": (("duckdns", {"DuckDNS_Token": "auth_token"}),),
    "dns_gd": (("godaddy", {"GD_Key": "auth_key", "GD_Secret": "auth_secret"}),),
    "dns_hetzner": (("hetzner", {"HETZNER_Token": "auth_token"}),),
    "dns_inwx": (("inwx", {"INWX_User": "auth_username", "INWX_Password": "auth_password"}),),
    "dns_namesilo": (("namesilo", {"Namesilo_Key": "auth_token"}),),
    "dns_netcup": (
        ("netcup", {"NC_Apikey": "auth_api_key", "NC_Apipw": "auth_api_password", "NC_CID": "auth_customer_id"}),
    ),
    "dns_ovh": (
        (
            "ovh",
            {"OVH_AK": "auth_application_key", "OVH_AS": "auth_application_secret", "OVH_CK": "auth_consumer_key"},
        ),
    ),
    "dns_pdns": (
        ("powerdns", {"PDNS_Url": "pdns_server", "PDNS_ServerId": "pdns_server_id", "PDNS_Token": "auth_token"}),
    ),
    "dns_porkbun": (("porkbun", {"PORKBUN_API_KEY": "auth_key", "PORKBUN_SECRET_API_KEY": "auth_secret"}),),
    "dns_vultr": (("vultr", {"VULTR_API_KEY": "auth_token"}),),
}
"""acme.sh's name -> the ways to use it, each with the variables that it needs. All by a fixed API key or token."""

_OPTIONAL = {
    "cloudflare": {"CF_Zone_ID": "zone_id"},
    "ovh": {"OVH_END_POINT": "auth_entrypoint"},
}
_DEFAULTS = {"ovh": {"auth_entrypoint": "ovh-eu"}}
"""What acme.sh takes where nothing is set."""


def read(text: str) -> model.Dns:
    """Raises: ValueError that names what is missing."""
    given = _load(text)
    api = given.get("DNS_API", "")
    if api not in APIS:
        known = words.listed(APIS, last="and")
        raise ValueError(f"DNS_API {words.quoted(api)} is not known here (known are {known}); use `acme.dns`")
    for provider, needed in APIS[api]:
        if all(given.get(name) for name in needed):
            option_names = {**needed, **_OPTIONAL.get(provider, {})}
            options = {
                **_DEFAULTS.get(provider, {}),
                **{option_names[name]: given[name] for name in option_names if given.get(name)},
            }
            secrets = ((name, model.Secret(text=value)) for name, value in sorted(options.items()))
            return model.Dns(provider=provider, options=tuple(secrets))
    ways = words.listed((" and ".join(needed) for _, needed in APIS[api]), last="or")
    raise ValueError(f"{api} needs {ways}")


def read_challenge(text: str) -> model.Challenge:
    if text.upper() not in CHALLENGES:
        raise ValueError(f"expected {words.listed(CHALLENGES)}, found {words.quoted(text)}")
    return CHALLENGES[text.upper()]


def _load(text: str) -> dict[str, str]:
    """YAML, as acme-companion reads it, of which JSON is a part."""
    try:
        found = yaml.YAML(typ="safe", pure=True).load(text)
    except (yaml_error.YAMLError, ValueError, RecursionError):
        raise ValueError("is not YAML") from None  # its own words quote the text
    if not isinstance(found, dict):
        what = "a list" if isinstance(found, list) else "a text"
        raise ValueError(f"expected a map with DNS_API, found {what}")  # noqa: TRY004 - of a text
    return {str(key): str(value).strip() for key, value in found.items() if value is not None}
