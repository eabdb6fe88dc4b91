"""Records of dns-persist-01: made once by a person, and good for every order of one account at one CA. Pure.

Source: draft-ietf-acme-dns-persist; the form of a record is that of CAA (RFC 8659 section 4.2, RFC 8657 section 3).
"""

import dataclasses
import datetime

LABEL = "_validation-persist"
_WILDCARD = "wildcard"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The content of a record. issuer: a domain name of the CA. account: the URL of the account that may order.

    is_wildcard: for `*.NAME` and all names below, too. until: None: for ever.
    """

    issuer: str
    account: str
    is_wildcard: bool = False
    until: datetime.datetime | None = None

    def __str__(self) -> str:
        """As it stands in the TXT record."""
        parts = [self.issuer, f"accounturi={self.account}"]
        parts += [f"policy={_WILDCARD}"] if self.is_wildcard else []
        parts += [f"persistUntil={int(self.until.timestamp())}"] if self.until is not None else []
        return "; ".join(parts)


def parse(text: str) -> Statement | None:
    """The content of a TXT record; None: it is none of these, or a CA must not take it (a tag twice, no account)."""
    issuer, *parameters = (part.strip(" \t") for part in text.split(";"))
    values: dict[str, str] = {}
    for parameter in parameters:
        tag, is_pair, value = parameter.partition("=")
        if not is_pair or tag.strip().lower() in values:
            return None
        values[tag.strip(" \t").lower()] = value.strip(" \t")
    if not issuer or not values.get("accounturi"):
        return None
    until = values.get("persistuntil")
    try:
        moment = None if until is None else datetime.datetime.fromtimestamp(int(until), datetime.UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return Statement(
        issuer=issuer.lower().rstrip("."),
        account=values["accounturi"],
        is_wildcard=values.get("policy", "").lower() == _WILDCARD,
        until=moment,
    )


def satisfies(text: str, wanted: Statement, now: datetime.datetime) -> bool:
    """Whether a record is as good as the wanted one; one that allows more is."""
    statement = parse(text)
    return (
        statement is not None
        and (statement.issuer, statement.account) == (wanted.issuer, wanted.account)
        and (statement.is_wildcard or not wanted.is_wildcard)
        and (statement.until is None or statement.until > now)
    )
