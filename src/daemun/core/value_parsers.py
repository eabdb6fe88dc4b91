"""Parses texts of the configuration into values of the model: targets, durations, sizes, addresses, host names.

Shared by everything that people write: the file, labels, the command line, the API. Each function raises ValueError
whose text names what was found and what was expected. What parses here may still break a rule of `validation.validate`.
"""

import collections.abc
import ipaddress
import json
import re
import unicodedata

import idna

from daemun.core import model
from daemun.core.texts import cures, engine_urls, expressions, names, rules, spellings, url_rules, words

_MOST_S = 10**18
_DURATION = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*(ms|s|m|h|d|w)\Z")
_DURATION_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_SIZE = re.compile(r"([0-9]{1,18})\s*(k|m|g|t)?b?\Z", re.IGNORECASE)
_SIZE_SHIFTS = {"k": 10, "m": 20, "g": 30, "t": 40}
_BARE_IPV6 = re.compile(r"(?=.*::|(?:.*:){7})[0-9a-fA-F:.]+\Z")
_PORT = re.compile(r"[0-9]{1,9}\Z")
_SCHEMES = {scheme.value: scheme for scheme in model.Scheme}


def parse_duration(value: object) -> float:
    """Seconds of "30s", "5m", "1.5h", "1d", "500ms", or a number of seconds."""
    # A comparison, not `math.isfinite`, which an int of hundreds of digits overflows; NaN fails it, too.
    if isinstance(value, int | float) and not isinstance(value, bool) and -_MOST_S < value < _MOST_S:
        return float(value)
    match = _DURATION.match(value.strip()) if isinstance(value, str) else None
    if match is None:
        expected = 'a duration such as "30s", "5m", "1h" or "1d", or a number of seconds'
        raise ValueError(f"expected {expected}, found {words.describe(value)}{_duration_meant(value)}")
    return float(match.group(1)) * _DURATION_UNITS_S[match.group(2)]


def parse_size(value: object) -> int:
    """Bytes of "10k", "100m", "1g", or a number of bytes."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _SIZE.match(value.strip()) if isinstance(value, str) else None
    if match is None:
        expected = 'a size such as "10k", "100m" or "1g", or a number of bytes'
        raise ValueError(f"expected {expected}, found {words.describe(value)}{_size_meant(value)}")
    return int(match.group(1)) << _SIZE_SHIFTS.get((match.group(2) or "").lower(), 0)


_LONG_DURATION = re.compile(
    r"([0-9]{1,6})\s*(?:(s)ec(?:ond)?s?|(m)in(?:ute)?s?|(h)(?:ou)?rs?|(d)ays?|(w)eeks?|(y)(?:(?:ea)?rs?)?)\Z",
    re.IGNORECASE,
)
_LONG_SIZE = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)\s*(k|m|g|t)(?:i?b)?\Z", re.IGNORECASE)


def _duration_meant(value: object) -> str:
    """Of "30 sec", "5 minutes", "1y"."""
    match = _LONG_DURATION.match(value.strip()) if isinstance(value, str) else None
    if match is None:
        return ""
    unit = next(filter(None, match.groups()[1:])).lower()
    return f"; write {f'{int(match[1]) * 365}d' if unit == 'y' else f'{int(match[1])}{unit}'}"


def _size_meant(value: object) -> str:
    """Of "1.5g", "100MiB", and of words for no limit."""
    if isinstance(value, str) and value.strip().lower() in {"unlimited", "none", "infinite", "no"}:
        return "; `off` is no limit, where an option may have none"
    match = _LONG_SIZE.match(value.strip()) if isinstance(value, str) else None
    if match is None:
        return ""
    lower = {"k": "", "m": "k", "g": "m", "t": "g"}[match[2].lower()]
    number = float(match[1])
    return f"; write {f'{number:.0f}{match[2].lower()}' if number.is_integer() else f'{number * 1024:.0f}{lower}'}"


def parse_host(text: str) -> str:
    """A host in the form nginx compares with: lower case, IDNA (RFC 5891, UTS 46), "[IPv6]" compressed, no final dot.

    Raises: ValueError for a name that has no IDNA form. Other rules are those of `texts.rules.check_host`.
    """
    text = text.strip()
    address = names.address_of(text)
    if isinstance(address, ipaddress.IPv6Address):
        return f"[{address.compressed}]"
    text = text.lower().removesuffix(".") if len(text) > 1 else text
    if text.isascii():
        return text
    prefix = "*." if text.startswith("*.") else ""
    try:
        return prefix + idna.encode(text.removeprefix("*."), uts46=True).decode("ascii")
    except UnicodeError as error:
        with_symbols = _encode_symbols(text.removeprefix("*."))
        if with_symbols is not None:
            return prefix + with_symbols
        raise ValueError(f"{words.quoted(text)} is not a host name: {error}") from error


def parse_listed_host(text: str, *, port_word: str) -> str:
    """`parse_host` of one of the hosts that a container names, separated by commas. port_word: what it names a port
    with.

    Raises: ValueError, also for what is written in a way of other tools.
    """
    text = text.strip()
    several = spellings.several(text.replace(";", " "))
    if several:
        meant = words.quoted(", ".join(several))
        raise ValueError(f"{words.quoted(text)} holds several names; separate them with commas: write {meant}")
    below = text.removeprefix(".")
    if below != text and rules.check_host(below.lower()) is None:
        meant = words.quoted(f"{below}, *{text}")
        raise ValueError(f"{words.quoted(text)} is a name and all names below it only in nginx; write {meant}")
    name, _, port = text.rpartition(":")
    if _PORT.match(port) and names.address_of(text) is None and rules.check_host(name.lower()) is None:
        meant = words.quoted(name)
        raise ValueError(
            f"{words.quoted(text)} holds a port; write {meant}, and name the container's port with {port_word}"
        )
    return parse_host(text)


def _encode_symbols(text: str) -> str | None:
    """As browsers write names with emoji, which some registries sell: IDNA 2008 has no symbols, UTS 46 maps them as it
    does letters. None: something else is wrong with the name."""
    try:
        mapped = idna.uts46_remap(text, std3_rules=False, transitional=False)
        plain = "".join("x" if unicodedata.category(char) == "So" else char for char in mapped)
        if plain == mapped:
            return None
        idna.encode(plain, uts46=True)
    except UnicodeError:
        return None
    labels = (label if label.isascii() else f"xn--{label.encode('punycode').decode()}" for label in mapped.split("."))
    return ".".join(labels)


def parse_address(value: object) -> model.Address:
    """A listening address: 80, "80", "127.0.0.1:8443", "[::]:443", "*:80"."""
    if isinstance(value, int) and not isinstance(value, bool):
        return model.Address(port=value)
    if isinstance(value, str):
        host, separator, port = value.strip().rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        if _PORT.match(port) and (not separator or (bool(host) and (bracketed or ":" not in host))):
            bare = host[1:-1] if bracketed else host
            return model.Address(port=int(port), host=None if bare in {"", "*"} else bare)
    raise ValueError(f'expected a port, "127.0.0.1:8443" or "[::]:443", found {words.describe(value)}')


def parse_engine(text: str) -> str:
    """The URL of a Docker engine: "unix:///var/run/docker.sock", "tcp://host:2375" or "ssh://user@host"."""
    scheme, separator, rest = text.strip().partition("://")
    if separator and "," in rest:
        raise ValueError(f"expected one engine, found {words.quoted(text)}; several are a list: [URL, URL]")
    if separator and scheme == "unix" and rest.strip("/"):
        if not rest.startswith("/"):
            raise ValueError(
                f"expected the absolute path of a socket, found {words.quoted(text)}; write unix:///{rest}"
            )
        return f"unix://{rest}"
    if separator and scheme == "tcp" and rest.strip("/"):
        _check_tcp_engine(text, rest.rstrip("/"))
        return f"tcp://{rest}"
    if separator and scheme in {"http", "https"} and rest.strip("/"):
        return f"{scheme}://{rest}"
    if separator and scheme == "ssh":
        engine_urls.parse_ssh(f"ssh://{rest}")
        return f"ssh://{rest}"
    raise ValueError(
        f'expected "unix:///var/run/docker.sock", "tcp://host:2375" or "ssh://nas", found {words.quoted(text)}'
    )


def _check_tcp_engine(text: str, rest: str) -> None:
    """Raises: ValueError: it has a path, or no port."""
    server, slash, _ = rest.partition("/")
    _, _, port = server.rpartition("]")[2].rpartition(":")
    if slash:
        raise ValueError(
            f"expected a host and a port, found a path, too, in {words.quoted(text)}; write tcp://{server}"
        )
    if not port.isdecimal() or ":" not in server.rpartition("]")[2]:
        raise ValueError(f"expected a port in {words.quoted(text)}; engines listen on 2375, with TLS on 2376")


class NotOneServerError(ValueError):
    """A target that was meant to be something else of a route.

    cause: with why. entry: of a route that it was meant to be, "files: /srv/www".
    """

    def __init__(self, cause: str, entry: str) -> None:
        super().__init__(f"{cause}: write `{entry}`")
        self.cause = cause
        self.entry = entry


def parse_target(text: str) -> model.Target:
    """scheme://host[:port][/path], or scheme://unix:/socket[:/path].

    Raises: ValueError with what to write instead; NotOneServerError when that is no target.
    """
    try:
        return _parse_target(text)
    except ValueError as error:
        cause = f"target {words.quoted(words.without_credentials_of_server(text))} {error}"
        reason = str(error)
    if text.strip().lower() == "deny":
        raise NotOneServerError(f"{cause}; nobody gets anything there", "deny: true")
    servers = [find_meant(part) for part in spellings.several(text)]
    if all(servers) and have_one_form([one for one in servers if one]):
        raise NotOneServerError(f"{cause}; they are several servers", f"to: [{', '.join(map(_in_list, servers))}]")
    if (folder := spellings.folder(text)) is not None:
        raise NotOneServerError(f"{cause}; a folder of files is no server", f"files: {folder}")
    raise ValueError(f"{cause}{cures.write(_find_misfit, *spellings.targets(text)) or _name_schemes(text, reason)}")


def have_one_form(servers: collections.abc.Sequence[str]) -> bool:
    """Whether these can be the servers of one route: all good, and with the same scheme and path."""
    try:
        targets = [_parse_target(server) for server in servers]
    except ValueError:
        return False
    return len({(target.scheme, target.path) for target in targets}) == 1


def _in_list(server: str | None) -> str:
    """As an item of a YAML list in brackets, in which others end."""
    return json.dumps(server) if re.search(r"[\[\]{}]", str(server)) else str(server)


def _name_schemes(text: str, cause: str) -> str:
    if "unknown scheme" not in cause:
        return ""
    scheme, _, rest = text.partition("://")
    if scheme.lower() in {"tcp", "udp", "tls"}:
        return (
            f"; TCP and UDP are passed on by `streams: {{NAME: {{listen: 1883, to: {words.quoted(text)}}}}}` at the top"
        )
    if scheme.lower() == "https+insecure":
        return f"; write `{{to: {words.quoted(f'https://{rest}')}, verify: false}}`"
    near = words.nearest(scheme.lower(), _SCHEMES)
    return f"; expected {words.listed(_SCHEMES)}{cures.write(_find_misfit, f'{near}://{rest}')}"


def check_target(text: str) -> str | None:
    """Why a text is no target; None: it is one."""
    try:
        _parse_target(text)
    except ValueError as error:
        return str(error)
    return None


def find_meant(text: str) -> str | None:
    """A good target: the text itself, or what it could mean."""
    return next((one for one in (text, *spellings.targets(text)) if _find_misfit(one) is None), None)


def _find_misfit(text: str) -> str | None:
    """What keeps a text from being a good target that needs no option beside it: a server that shows a certificate has
    to be named."""
    try:
        target = _parse_target(text)
    except ValueError as error:
        return str(error)
    is_verified = target.scheme.is_encrypted
    is_nameless = target.host is None or names.address_of(target.host) is not None
    return "shows a certificate, and has no name" if is_verified and is_nameless else None


def _parse_target(text: str) -> model.Target:
    """Raises: ValueError with the cause alone."""
    scheme, rest = _split_scheme(text)
    if "?" in rest or "#" in rest:
        raise ValueError("holds a query or a fragment; the request's own query is passed on")
    if rest.startswith("unix:"):
        socket, separator, path = rest.removeprefix("unix:").partition(":")
        _check(rules.check_socket(socket))
        _check(url_rules.check_target_path(expressions.without_parts(path)) if separator else None)
        return model.Target(scheme=scheme, socket=socket, path=path if separator else None)
    authority, slash, path = rest.partition("/")
    if "@" in authority or words.without_credentials_of_server(text) != text:
        raise ValueError(
            "holds credentials, which would show in lists and logs; set them with "
            "`request_headers: {Authorization: ...}`"
        )
    if authority == "unix" and path.startswith(("/", "run/", "var/", "tmp/")):
        raise ValueError("names a unix socket, which is written with a colon")
    host, port = split_authority(authority)
    if slash:
        _check(url_rules.check_target_path(expressions.without_parts(f"/{path}")))
    return model.Target(
        scheme=scheme,
        host=host,
        port=model.DEFAULT_PORTS[scheme] if port is None else port,
        path=f"/{path}" if slash else None,
    )


def _check(cause: str | None) -> None:
    if cause is not None:
        raise ValueError(cause.partition("; write ")[0])


def _split_scheme(text: str) -> tuple[model.Scheme, str]:
    name, separator, rest = text.partition("://")
    if not separator:
        raise ValueError("has no scheme")
    scheme = _SCHEMES.get(name.lower())
    if scheme is not None:
        return scheme, rest
    if name.lower() in {"ws", "wss"}:
        raise ValueError("has a scheme of its own, which WebSockets do not need")
    raise ValueError(f"has the unknown scheme {words.quoted(name)}")


def split_authority(authority: str) -> tuple[str, int | None]:
    """Host (an IPv6 address without its brackets) and port; None: there is none. Raises: ValueError with the cause
    alone."""
    if authority.startswith("["):
        bare, closed, tail = authority[1:].partition("]")
        if not closed or (tail and not tail.startswith(":")):
            raise ValueError('holds a bracket; expected "[IPv6]" or "[IPv6]:port"')
        host, separator, port = bare, tail[:1], tail[1:]
    elif _BARE_IPV6.match(authority):
        raise ValueError("holds an IPv6 address, which stands in brackets")
    else:
        host, separator, port = authority.partition(":")
    if not host:
        raise ValueError("has no host")
    if "$" in host or "{" in host:
        raise ValueError("holds a variable in its host, which nothing replaces; name the server itself")
    if separator and not (_PORT.match(port) and 1 <= int(port) <= 65535):
        raise ValueError(f"has the port {words.quoted(port)}, which is not a number from 1 to 65535")
    parsed = parse_host(host).removeprefix("[").removesuffix("]")
    _check(rules.check_server(parsed))
    return parsed, int(port) if separator else None
