"""Suggests what a refused text may have meant: other tools write hosts, paths and targets otherwise. Pure.

Nothing here decides: `cures.write` shows only what the rule then accepts.
"""

import collections.abc
import ipaddress
import re
import urllib.parse

from daemun.core.texts import names, other_tools

Texts = collections.abc.Iterator[str]

EVERY_HOST = frozenset({"_", "*", "default", "any", ":80", ":443", "*:80", "*:443", "0.0.0.0", "[::]"})  # noqa: S104
"""Names of nginx, Caddy and others for what no site has."""
HERE = "127.0.0.1"

_RULE = re.compile(r"(?:Host|HostRegexp|HostSNI|Path|PathPrefix|PathRegexp)\(\s*[`'\"]([^`'\"]*)[`'\"]", re.IGNORECASE)
_SEVERAL = re.compile(r"[\s,|]+")
_PART = re.compile(r"(?:[A-Za-z0-9*]|\[[0-9a-f:]+\])[\w.*:/-]*\Z")
_MODIFIER = re.compile(r"(?:/?(?:~\*|\^~|~|=)\s+|/?(?:~\*|\^~|~|=)(?=[/^]))")
_WORD = re.compile(
    r"(?:location|handle|handle_path|route|path|redir|rewrite|reverse_proxy|ProxyPass(?:Match)?|ProxyPassReverse)\s+(?=\S)",
    re.IGNORECASE,
)
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,12}")
_ANYTHING = re.compile(r"(?:\(\.\*\)|\(/\.\*\)\??|\(\.\*\)\?|\.\*|\*+|\$)\Z")
_LITERAL = re.compile(r"[^\\^$*+?()\[\]{}|]*\Z")
_PUBLISHED = re.compile(r"(?:(?:[0-9.]+|\[[0-9a-f:]+\]):)?([0-9]{1,5}):[0-9]{1,5}(?:/tcp)?\Z")
_SOCKET = re.compile(
    r"(?:([a-z0-9]+)(?:\+unix|(?=://)))?(?::?/*unix)?:?/*(?<=[:/])?(/[^:\s]+?\.sock[^:/\s]*)(?::(/\S*))?\Z"
)
_UNIX = re.compile(r"(?:([a-z0-9]+)://)?unix:?/*(/?[^:\s]+)(?::(/\S*))?\Z")
_URL = re.compile(r"([a-z][a-z0-9+.-]*)(?::/{1,3}|:\\+|;//)(?=[^/])|(https?)(?://|:)(?=[^/])", re.IGNORECASE)
_CAPTURE = re.compile(r"\$(?:[0-9]|\{[0-9]\})")
_VARIABLE = re.compile(r"\$\{?[A-Za-z_][A-Za-z0-9_]*\}?")
_UNSAFE = re.compile(r"""[^\x21-\x7e]|["<>\\^`{|}]""")


def several(text: str) -> tuple[str, ...]:
    """The parts of "a.example.com, www.a.example.com"; none when it is one."""
    parts = tuple(part for part in _SEVERAL.split(text.strip()) if part)
    is_list = re.search("[,|]", text) or all("." in part or ":" in part for part in parts)
    return parts if len(parts) > 1 and is_list and all(map(_PART.match, parts)) else ()


def hosts(text: str) -> Texts:
    """What a host was meant to be."""
    rule = _RULE.search(text)
    bare = rule.group(1) if rule else (several(text) or (text,))[0]
    bare = bare.strip().strip("'\"`").rpartition("://")[2].split("/", maxsplit=1)[0].lower().removesuffix(".")
    yield _bracketed(bare)
    if bare.startswith("[") and "]" in bare:
        yield _bracketed(bare[: bare.index("]") + 1])
    elif bare.count(":") == 1:
        yield bare.split(":")[0]
    yield f"*.{bare.lstrip('*.')}" if bare.startswith("*") else bare.split("%")[0]


def _bracketed(text: str) -> str:
    address = names.address_of(text)
    if address is None or "%" in text:
        return text
    return f"[{address.compressed}]" if address.version == 6 else str(address)


def paths(text: str) -> Texts:
    """What a route's path was meant to be: a prefix, where the text is one in another tool's words."""
    rule = _RULE.search(text)
    path = rule.group(1) if rule else _WORD.sub("", text.strip().rstrip("{").strip())
    if path.startswith(("!", "@", ".", "\\")):  # nothing that a path begins with
        if _ENDING.fullmatch(path):
            yield f"*{path}"
        return
    path = _MODIFIER.sub("", path, count=1) if _MODIFIER.match(path) else path
    path = path.removeprefix("^").split("?")[0] if not path.startswith("/(") else path
    path = path.split("#")[0]
    while (shorter := _ANYTHING.sub("", path)) != path:
        path = shorter
    if _LITERAL.match(path):
        path = path.rpartition("://")[2].partition("/")[2] if "://" in path else path
        path = re.sub(r"/(?:\.?/)+", "/", f"/{path.lstrip('/')}")
        yield urllib.parse.unquote(path)
        yield path
    if text.startswith("/") and "(" not in text:
        yield from _before_pattern(path)


def expressions_of(text: str) -> Texts:
    """What an expression was meant to be: nginx's sign is missing, or it holds the sign for either case."""
    text = _WORD.sub("", text.strip().rstrip("{").strip())
    sign = re.match(r"/?(~\*?)\s*", text)
    if sign is not None:
        rest = text[sign.end() :]
        yield f"{sign.group(1) if '(?i)' not in rest else '~*'} {rest.replace('(?i)', '')}"
    elif re.match(r"\\|\^|\(", text) and text.endswith("$"):
        yield f"~ {text}"
        yield "~ " + re.sub(r"(?<!\\)\((?![?])", "(?:", text)


def _before_pattern(path: str) -> Texts:
    """The folder that a pattern is in: "/files/" of "/files/{id}"."""
    folder = re.split(r"[*{}|^$\\\[\]()<]|\.[*+]|/:(?=[A-Za-z_])", path, maxsplit=1)[0]
    folder = folder if path[len(folder) :].startswith("/:") is False else f"{folder}/"
    folder = folder[: folder.rfind("/") + 1]
    if len(folder) > 1:
        yield folder


def target_paths(text: str) -> Texts:
    """What replaces a prefix: nothing of it stands for the request, for what follows the prefix is appended."""
    without = _CAPTURE.sub("", _VARIABLE.sub("", other_tools.with_variables(text)))
    if without != text:
        yield re.sub("//+", "/", f"/{without.lstrip('/')}")
        return
    yield _escaped(text.replace("$", "%24"))


_STATUS = re.compile(
    r"(?:return\s+)?(?:(30[12378]|permanent|temporary)\s+)?(\S+?)(?:\s+(30[12378]|permanent|redirect|temporary|html))?;?\Z"
)
_STATUSES = {"permanent": "301", "redirect": "302", "temporary": "302", "html": "302"}


def split_status(text: str) -> tuple[str, str] | None:
    """Of a redirect in nginx's, Caddy's or Apache's words, "301 https://b.com": where it leads, and its status. None:
    it holds no status."""
    match = _STATUS.match(text.strip())
    word = None if match is None else match.group(1) or match.group(3)
    return None if match is None or word is None else (match.group(2), _STATUSES.get(word, word))


def redirects(text: str) -> Texts:
    """Where a redirect was meant to lead."""
    with_status = split_status(text)
    known = other_tools.with_variables(text.strip() if with_status is None else with_status[0])
    if known != text.strip():  # the path begins with a slash of its own
        known = re.sub(r"(?<=[^:/])/(?=\$(?:uri|request_uri)\b)", "", known)
    yield known
    captured = re.sub(r"/?\$(?:1|\{1\})\Z", "$request_uri", known)
    yield captured
    if "{" not in known and "$" not in _CAPTURE.sub("$", known).replace("$request_uri", ""):
        yield _escaped(known)
    bare = known.lstrip("/")
    if "." in bare.split("/")[0] and "://" not in bare:
        yield f"https://{bare}"
    elif "://" not in bare:
        yield f"/{bare}"


def _escaped(text: str) -> str:
    return _UNSAFE.sub(lambda match: urllib.parse.quote(match.group(), errors="ignore"), text)


_AROUND = "'\";\u2018\u2019\u201c\u201d\u00ab\u00bb"
"""Quotes, also those that a word processor makes of them, and nginx's end of a line."""


def targets(text: str) -> Texts:
    """What a target was meant to be."""
    text = text.strip().strip(_AROUND).strip()
    for word in ("proxy_pass ", "reverse_proxy ", "server "):
        text = text.removeprefix(word).strip()
    published = _PUBLISHED.match(text)
    if published and names.address_of(text.rpartition(":")[0]) is None:  # as in compose files, HOST:CONTAINER
        yield f"http://{HERE}:{published.group(1)}"
    yield from _sockets(text)
    url = _URL.match(text)
    scheme, rest = ((url.group(1) or url.group(2)).lower(), text[url.end() :]) if url else ("http", text)
    if scheme in {"ws", "wss"}:
        scheme = f"http{scheme[2:]}"
    if rest.lower().startswith(("http://", "https://")):
        scheme, _, rest = rest.partition("://")
    rest = rest.split("#")[0].split("?")[0].rpartition("@")[2]
    yield from _with_host(scheme, rest)


def _with_host(scheme: str, rest: str) -> Texts:
    authority, slash, path = rest.partition("/")
    path = slash + path
    host = _CAPTURE.sub("", _VARIABLE.sub("", authority))
    is_port_alone = host == authority and re.match(r"(?:\*?:)?[0-9]{1,5}\Z", host) is not None
    host = f"{HERE}:{host.lstrip('*:')}" if is_port_alone else host
    for written in _ipv6(host) or (host,):
        yield f"{scheme}://{written}{path}"
        for better in target_paths(path) if path else ():
            yield f"{scheme}://{written}{better}"


def _ipv6(authority: str) -> tuple[str, ...]:
    """The readings of an IPv6 address without brackets, whose last group may be a port."""
    if authority.count(":") < 2 or "]" in authority.removesuffix("]"):
        return ()
    bare = authority.strip("[]")
    found = []
    address, _, port = bare.rpartition(":")
    if port.isdigit() and len(port) in {2, 4, 5} and _is_ipv6(address):
        found.append(f"[{address}]:{port}")
    if _is_ipv6(bare):
        found.append(f"[{bare}]")
    return tuple(found)


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False


def _sockets(text: str) -> Texts:
    for pattern in (_UNIX, _SOCKET):
        match = pattern.match(text)
        if match is not None:
            scheme = match.group(1) if match.group(1) not in {None, "unix", "file"} else "http"
            path = f":{match.group(3)}" if match.group(3) else ""
            yield f"{scheme}://unix:/{match.group(2).lstrip('/')}{path}"


def folder(text: str) -> str | None:
    """The folder that a text names, which is no server; None: it names none."""
    text = text.strip().strip("'\"")
    if text.lower().startswith("file:"):
        text = re.sub(r"(?i)\Afile:/*", "/", text)
    is_path = text.startswith(("/", "./", "../")) or text in {".", ".."}
    return text if is_path and text.isprintable() and not re.search(r"\.sock\b|[:{}\[\],$\s]", text) else None


def is_bare_name(text: str) -> bool:
    """Whether a text could be a folder's name as well as a server's: "public", "dist/web"."""
    return re.fullmatch(r"[\w-][\w.-]*(?:/[\w.-]+)*/?", text) is not None and not text.isdigit()
