"""Values of nginx-proxy's variables and labels. Pure.

Each function raises ValueError with what was expected and what was found.
"""

import re

from daemun.core import model, value_parsers
from daemun.core.options import balance_option, hsts_option
from daemun.core.texts import patterns, rules, words

METHODS = ("redirect", "noredirect", "nohttp", "nohttps")
PROTOCOLS = {
    "http": model.Scheme.HTTP,
    "https": model.Scheme.HTTPS,
    "uwsgi": model.Scheme.UWSGI,
    "fastcgi": model.Scheme.FASTCGI,
    "grpc": model.Scheme.GRPC,
    "grpcs": model.Scheme.GRPCS,
}
KEY_TYPES = {
    "2048": model.KeyType.RSA_2048,
    "3072": model.KeyType.RSA_3072,
    "4096": model.KeyType.RSA_4096,
    "ec-256": model.KeyType.ECDSA_P256,
    "ec-384": model.KeyType.ECDSA_P384,
}
"""As acme.sh calls them."""
HSTS_OFF = "off"
STAGING = model.LETS_ENCRYPT_STAGING

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
"""What Go's strconv.ParseBool takes."""
_MAX_AGE = re.compile(r"max-age\s*=\s*\"?([0-9]{1,10})\"?\Z", re.IGNORECASE)
_ANSWER = re.compile(r"([0-9]{3})(?:\s+(\S.*))?\Z", re.DOTALL)


def one_of(text: str, known: tuple[str, ...]) -> str:
    if text not in known:
        raise ValueError(f"expected {words.listed(known)}, found {words.quoted(text)}{words.guess(text, known)}")
    return text


def truth(text: str) -> bool:
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise ValueError(f"expected true or false, found {words.quoted(text)}")


def number(text: str, *, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and least <= int(text) <= most):
        raise ValueError(f"expected a number from {least} to {most}, found {words.quoted(text)}")
    return int(text)


def port(text: str) -> int:
    return number(text, least=1, most=65535)


def key_type(text: str) -> model.KeyType:
    return KEY_TYPES[one_of(text, tuple(KEY_TYPES))]


def chain(text: str) -> str:
    """The name of an issuer."""
    fault = rules.check_text(text)
    if fault is not None:
        raise ValueError(f"{words.quoted(text)} {fault}")
    return text


# --- hosts and paths -------------------------------------------------------------------------------------------


def hosts(text: str) -> tuple[str, ...]:
    """VIRTUAL_HOST: separated by commas, but for those inside the brackets of a regular expression."""
    for part in _split(text):
        if not part.startswith("~"):
            value_parsers.parse_listed_host(part, port_word="VIRTUAL_PORT")
    found = [host(part) for part in _split(text)]
    return tuple(dict.fromkeys(found))


def ordered_hosts(text: str) -> tuple[str, ...]:
    """ACME_HOST: names of certificates, separated by commas."""
    found = hosts(text)
    for name in found:
        cause = rules.check_host(name)
        if cause is not None:
            raise ValueError(f"host {words.quoted(name)} {cause}")
    return found


def find_ordered(host: str, ordered: tuple[str, ...]) -> str | None:
    """Which name of ACME_HOST is for a host: its own, or a wildcard."""
    if host in ordered:
        return host
    wildcard = f"*.{host.partition('.')[2]}"
    return wildcard if wildcard in ordered and not host.startswith(("*", "~")) else None


def host(text: str) -> str:
    """One host in the form of `model.Site.host`; a regular expression stays as it is."""
    if text.startswith("~"):
        return text
    if text.endswith(".*") and not text.startswith("*"):
        return f"{value_parsers.parse_host(text[:-2])}.*"
    return value_parsers.parse_host(text)


def _split(text: str) -> list[str]:
    parts = [""]
    depth = 0
    for char in text:
        is_expression = parts[-1].lstrip().startswith("~")
        if is_expression and char in "{[(":
            depth += 1
        elif is_expression and char in "}])":
            depth = max(0, depth - 1)
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    if depth:  # an expression that never closes must not take the rest of the list with it
        parts = text.split(",")
    return [part.strip() for part in parts if part.strip()]


def path(text: str) -> str:
    """VIRTUAL_PATH: a prefix, or a regular expression behind "~" or "~*"; nginx lets white space follow the sign."""
    found = patterns.split_path(text)
    if found is None:
        return text
    sign, expression = found
    return f"{sign}{expression.strip()}"


# --- values written in nginx's own syntax -----------------------------------------------------------------------


def parse_balance(text: str) -> balance_option.Balance:
    """The label `loadbalance`: one directive of an upstream block, and only those that daemun has a word for."""
    statement = " ".join(text.strip().removesuffix(";").split())
    match statement.split(" "):
        case ["least_conn"]:
            return balance_option.Balance(method=balance_option.Method.LEAST_CONN)
        case ["ip_hash"]:
            return balance_option.Balance(method=balance_option.Method.IP_HASH)
        case ["random"] | ["random", "two"] | ["random", "two", "least_conn"]:
            return balance_option.Balance(method=balance_option.Method.RANDOM)
        case ["round_robin"] | [""]:
            return balance_option.Balance()
        case ["hash", key] | ["hash", key, "consistent"]:
            return balance_option.Balance(method=balance_option.Method.HASH, key=key.strip("\"'"))
        case _:
            raise ValueError(
                'expected "least_conn;", "ip_hash;", "random;" or "hash $variable consistent;", '
                f"found {words.quoted(text)}"
            )


def keepalive(text: str) -> int | None:
    """None: as many as usual."""
    if text == "auto":
        return None
    return 0 if text == "disabled" else number(text, least=1, most=10_000)


def parse_hsts(text: str) -> hsts_option.Hsts | None:
    """The value of the header (RFC 6797 section 6.1), or "off"."""
    if text == HSTS_OFF:
        return None
    max_age_s: int | None = None
    flags = set()
    for part in (part.strip() for part in text.split(";")):
        found = _MAX_AGE.match(part)
        if found is not None:
            max_age_s = int(found.group(1))
        elif part.lower() in {"includesubdomains", "preload"}:
            flags.add(part.lower())
        elif part:
            raise ValueError(
                f'expected "max-age=SECONDS; includeSubDomains; preload" or off, found {words.quoted(text)}'
            )
    if max_age_s is None:
        raise ValueError(f'expected "max-age=SECONDS" in it, found {words.quoted(text)}')
    return hsts_option.Hsts(
        max_age_s=max_age_s, include_subdomains="includesubdomains" in flags, preload="preload" in flags
    )


def answer(text: str) -> model.FixedAnswer | None:
    """DEFAULT_ROOT: what `return` takes: "404", "301 https://...", "200 text". None for "none"."""
    text = text.strip()
    if text == "none":
        return None
    if text.startswith(("http://", "https://", "$scheme")):
        return model.FixedAnswer(status=302, text=text)
    found = _ANSWER.match(text)
    if found is None:
        raise ValueError(f'expected "none", a status, or a status and a text or URL, found {words.quoted(text)}')
    body = found.group(2)
    if body is not None and len(body) > 1 and body[0] == body[-1] and body[0] in "\"'":
        body = body[1:-1]
    return model.FixedAnswer(status=int(found.group(1)), text=body)
