"""Which CAs are those that browsers trust. Pure."""

_PUBLIC_CAS = ("letsencrypt.org", "zerossl.com", "pki.goog", "buypass.com", "ssl.com", "digicert.com", "sectigo.com")


def is_public_directory(url: str) -> bool:
    """Whether an ACME directory is one of a CA that browsers trust (or of its test system)."""
    host = host_of(url)
    return any(host == domain or host.endswith("." + domain) for domain in _PUBLIC_CAS)


def host_of(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].lower()
