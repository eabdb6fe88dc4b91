"""Which provider of dns-lexicon does what another client's plugin did. Pure.

Sources: eff-certbot.readthedocs.io/en/stable/using.html#dns-plugins, github.com/acmesh-official/acme.sh/wiki/dnsapi,
dns-lexicon.readthedocs.io/en/latest/configuration_reference.html."""

_CERTBOT = {
    "cloudflare": "cloudflare",
    "digitalocean": "digitalocean",
    "dnsimple": "dnsimple",
    "dnsmadeeasy": "dnsmadeeasy",
    "gehirn": "gehirn",
    "google": "googleclouddns",
    "linode": "linode4",
    "luadns": "luadns",
    "nsone": "nsone",
    "ovh": "ovh",
    "rfc2136": "rfc2136",
    "route53": "route53",
    "sakuracloud": "sakuracloud",
    "hetzner": "hetzner",
    "gandi": "gandi",
    "godaddy": "godaddy",
    "duckdns": "duckdns",
    "porkbun": "porkbun",
    "inwx": "inwx",
    "netcup": "netcup",
    "njalla": "njalla",
    "powerdns": "powerdns",
    "vultr": "vultr",
}
_ACME_SH = {
    "ali": "aliyun",
    "aws": "route53",
    "azure": "azure",
    "cf": "cloudflare",
    "cx": "cloudxns",
    "dgon": "digitalocean",
    "dnsimple": "dnsimple",
    "dp": "dnspod",
    "duckdns": "duckdns",
    "dynu": "dynu",
    "gandi_livedns": "gandi",
    "gcloud": "googleclouddns",
    "gd": "godaddy",
    "hetzner": "hetzner",
    "inwx": "inwx",
    "linode_v4": "linode4",
    "lua": "luadns",
    "me": "dnsmadeeasy",
    "namecheap": "namecheap",
    "namesilo": "namesilo",
    "netcup": "netcup",
    "njalla": "njalla",
    "nsone": "nsone",
    "nsupdate": "rfc2136",
    "ovh": "ovh",
    "pdns": "powerdns",
    "porkbun": "porkbun",
    "vultr": "vultr",
    "yandex": "yandex",
}


def of_certbot(authenticator: str) -> str | None:
    """authenticator: "dns-cloudflare"."""
    return _CERTBOT.get(authenticator.removeprefix("dns-"))


def of_acme_sh(method: str) -> str | None:
    """method: "dns_cf"."""
    return _ACME_SH.get(method.removeprefix("dns_"))
