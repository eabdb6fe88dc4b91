"""A CA's problem documents (RFC 8555 section 6.7) in words a person can act on. Pure."""

_LONGEST_DETAIL = 400

_VALIDATION = {
    "dns": (
        "the CA finds no address for it in DNS",
        "make an A or AAAA record that points to this machine (a new record can take a while to be seen)",
    ),
    "connection": (
        "the CA cannot reach port 80 there",
        "open port 80 in firewall and router, and check that the name's A and AAAA records point to this machine",
    ),
    "unauthorized": (
        "another server than this daemun answers the CA on port 80",
        "check that the name's A and AAAA records point to this machine, and that nothing stands in front of it",
    ),
    "tls": (
        "the CA was sent to HTTPS and could not connect there",
        "remove the redirect in front of this machine, or let it end here",
    ),
    "caa": (
        "its CAA records in DNS forbid this CA to sign",
        "add the CA to the CAA records, or remove them; a further CA in `acme.directory` is asked if they allow it",
    ),
    "dnssec": (
        "its DNSSEC signatures are wrong",
        "repair DNSSEC at the DNS provider, or switch it off there",
    ),
    "rejectedIdentifier": (
        "the CA does not sign this name",
        "use a name under a domain of your own, or `tls: local`",
    ),
    "unsupportedIdentifier": (
        "the CA does not sign identifiers of this kind",
        "use a domain name, add a CA that signs it to `acme.directory`, or write `tls: local`",
    ),
}
_VALIDATION["incorrectResponse"] = _VALIDATION["unauthorized"]
_VALIDATION["unknownHost"] = _VALIDATION["dns"]

_IN_DNS = {
    "dns": (
        "the CA gets no answer from the name servers of its zone",
        "check the zone's NS records, its servers, and DNSSEC, at the DNS provider",
    ),
    "unauthorized": (
        "the CA does not find the TXT record in DNS",
        "check that all name servers of the zone, also those that only some parts of the world see, get changes within "
        "a minute, and that nothing else writes the record's name",
    ),
}
_IN_DNS["incorrectResponse"] = _IN_DNS["unauthorized"]
_IN_DNS["unknownHost"] = _IN_DNS["dns"]
"""What it means when a name is proved in DNS."""

_REQUEST = {
    "rateLimited": (
        "the CA's rate limit is reached",
        "wait; daemun tries again by itself when the CA allows it",
    ),
    "externalAccountRequired": (
        "this CA only serves accounts that were made on its web page (external account binding)",
        "make one there, and write its key as `eab: {kid: ..., hmac_key: ...}` beside the directory, or use another CA",
    ),
    "invalidContact": ("the CA refuses the e-mail address", "correct `acme.email`"),
    "unsupportedContact": ("the CA refuses the e-mail address", "correct `acme.email`"),
    "invalidEmail": ("the CA refuses the e-mail address", "correct `acme.email`"),
    "userActionRequired": ("the CA wants a person to agree to new terms first", "open the page that it names"),
    "unauthorized": (
        "the CA refuses the ACME account",
        "if it was deactivated there, delete accounts/key.pem in the store to register a new one",
    ),
    "serverInternal": ("the CA has a failure of its own", "nothing to do here; daemun tries again by itself"),
    "alreadyRevoked": ("it is revoked already", "nothing to do"),
    "badRevocationReason": ("the CA does not take this reason", "give another `--reason`"),
    "badPublicKey": ("the CA does not take keys of this kind", "use another one (of a certificate: `acme.key_type`)"),
    "badCSR": (
        "the CA refuses the request with the certificate's names and key",
        "where it names the key, choose another `acme.key_type`",
    ),
}


def explain_validation(host: str, code: str, detail: str, *, challenge: str = "http-01") -> str:
    """Why the CA could not validate a name, what to do, and the CA's own words.

    code: the problem type without "urn:ietf:params:acme:error:". challenge: as the CA calls it.
    """
    if challenge.startswith("dns-") and code in _IN_DNS:
        cause, remedy = _IN_DNS[code]
    elif code == "connection" and "resolve" in detail:  # Pebble's type for what Let's Encrypt calls "dns"
        cause, remedy = _VALIDATION["dns"]
    elif code == "connection":
        cause, remedy = _connection_cause(detail), _VALIDATION[code][1]
    else:
        cause, remedy = _VALIDATION.get(code) or _REQUEST.get(code) or _unknown(code)
    return f'cannot validate "{host}": {cause}; {remedy}. {quote(detail)}'


def explain_request(host: str, code: str, detail: str, *, verb: str = "get a certificate for") -> str:
    """Why the CA refused a request about a name (or the names) `host`; otherwise as `explain_validation`."""
    cause, remedy = _REQUEST.get(code) or _VALIDATION.get(code) or _unknown(code)
    return f'cannot {verb} "{host}": {cause}; {remedy}. {quote(detail)}'


def _connection_cause(detail: str) -> str:
    text = detail.lower()
    if "refused" in text:
        return "nothing accepts the CA's connection to port 80 there"
    if "timeout" in text or "timed out" in text or "deadline" in text:
        return "port 80 there does not answer the CA, as behind a firewall"
    return _VALIDATION["connection"][0]


def _unknown(code: str) -> tuple[str, str]:
    return f"the CA refused ({code or 'no reason given'})", "see what it says"


def quote(detail: str) -> str:
    """The CA's words on one line, without control characters (they may hold part of any web page), not too long."""
    line = " ".join("".join(char if char.isprintable() else " " for char in detail).split())
    if not line:
        return "The CA said nothing more."
    return f"The CA says: {line}" if len(line) <= _LONGEST_DETAIL else f"The CA says: {line[:_LONGEST_DETAIL]}…"
