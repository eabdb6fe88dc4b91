r"""Rules for single texts of the model. Each returns the cause of a refusal, or None when the text is good. Pure.

Two rules hold everywhere, because each text becomes one argument of an nginx directive: no control characters, and
short enough. nginx reads an argument into a buffer of 4096 bytes (NGX_CONF_BUFFER in ngx_conf_file.h), quotes and
escapes included; a `$` takes 16 bytes there (see DOLLAR in core.serialise), a quote or backslash two.
"""

import ipaddress
import re
import urllib.parse

from daemun.core.texts import (
    cures,
    expressions,
    match_times,
    names,
    other_tools,
    path_patterns,
    patterns,
    route_paths,
    spellings,
    words,
)

MAX_CHARACTERS = 2000
MAX_BYTES = 3600
MAX_PATH_BYTES = 255
"""Of a route: nginx keeps the length of a location's name in one byte in older versions (`ngx_http_core_module.h`)."""
MAX_SOCKET_BYTES = 107
"""unix(7): sun_path holds 108 bytes with the NUL."""
MAX_BYTES_OF_A_FILE = 1 << 50
YEAR_S = 366 * 86400.0
MAX_BUCKET_CHARACTERS = 46
REDIRECT_STATUSES = (301, 302, 303, 307, 308)

# RFC 9110 sections 7.6.1 and 6.4: they speak of one connection, or of the length of a body, which nginx knows better.
CONNECTION_HEADERS = frozenset(
    {
        "connection",
        "content-length",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Of Unicode's categories Cc, Cs, Zl and Zp, each character."""
_HEADER_NAME = re.compile(r"[!#%&'*+.^_`|~0-9A-Za-z-]{1,200}\Z")
_VARIABLE = re.compile(r"\$(?:\{([^}]*)\}?|([A-Za-z_][A-Za-z0-9_]*))")
_CAPTURE = re.compile(r"\$(?:[1-9]|\{[1-9]\})")
_SENT = re.compile(r"(?:sent_http|upstream_http|sent_trailer|upstream_trailer|upstream_cookie)_[a-z0-9_]{1,64}\Z")
_HOST_HEADER = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?\Z")
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,63}/(?:\*|[a-z0-9][a-z0-9.+-]{0,63})\Z")
_EMAIL = re.compile(r"[A-Za-z0-9.!#%&'*+/=?^_`{|}~-]{1,64}@([^@\s]+)\Z")
_USER = re.compile(r"[a-z_][a-z0-9_.-]{0,31}\Z")
_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]*\Z")
_AMBIGUOUS = re.compile("%(?:2f|3f|[01][0-9a-f]|7f|(?![0-9a-f]{2}))", re.IGNORECASE)
"""An encoded slash, question mark or control character, or a % that encodes nothing: decoding changes the meaning."""
_UNSAFE_IN_URL = re.compile(r"""["<>\\^`{|}]""")


def check_text(text: str) -> str | None:
    """What holds for every text."""
    bad = _CONTROL.search(text)
    if bad is not None:
        return f"holds the control character U+{ord(bad.group()):04X}; remove it"
    if len(text) > MAX_CHARACTERS:
        return f"is too long: {len(text)} characters, at most {MAX_CHARACTERS}"
    size = len(text.encode()) + 15 * text.count("$") + text.count('"') + text.count("\\")
    return f"is too long for nginx: it takes {size} bytes, at most {MAX_BYTES}" if size > MAX_BYTES else None


# --- names -----------------------------------------------------------------------------------------------------


def check_host(host: str, *, with_patterns: bool = False) -> str | None:
    """A site's host or alias: a name, "*.name", an IPv4 address or "[IPv6]", in the form browsers send it.

    with_patterns: also "name.*" and "~expression".
    """
    cause = _find_host_cause(host, with_patterns=with_patterns)
    return None if cause is None else f"{cause}{cures.write(_find_host_cause, *spellings.hosts(host))}"


def _find_host_cause(host: str, *, with_patterns: bool = False) -> str | None:
    cause = check_text(host)
    if cause is not None:
        return cause
    address = names.address_of(host)
    if address is not None:
        return _check_address_form(host, address)
    if with_patterns and host.startswith("~"):
        return patterns.check(host[1:]) or match_times.find_cause(host[1:])
    if with_patterns and host.endswith(".*") and not host.startswith("*."):
        host = host[:-2]
        return _check_shape(host) or _check_labels(host, is_whole=False)
    return _check_shape(host) or _check_labels(host.removeprefix("*."))


def _check_address_form(host: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str | None:
    if "%" in host:
        return 'holds a zone ("%"), which browsers never send; leave it out'
    expected = f"[{address.compressed}]" if address.version == 6 else str(address)
    return None if host == expected else "is an address that browsers write otherwise"


def _check_shape(host: str) -> str | None:
    """The usual mistakes."""
    cause = None
    if not host:
        cause = "is empty; expected a host name or an IP address"
    elif host in spellings.EVERY_HOST:
        cause = "is every other host in other tools; here `default: {site: HOST}` at the top names a site for them"
    elif spellings.several(host):
        cause = "holds several names; each further one goes into the site's `aliases`"
    elif host.startswith("~"):
        cause = 'is a regular expression; "*.example.com" stands for every name under one'
    elif "://" in host:
        cause = "holds a scheme"
    elif "/" in host or "`" in host:
        cause = "holds more than a host; paths belong under the host"
    elif ":" in host:
        cause = "holds a port, and ports are set by `listen`"
    elif host != host.lower():
        cause = "is not in lower case"
    elif "*" in host.removeprefix("*."):
        cause = 'has "*" in the wrong place; it can only be the whole leftmost label: "*.example.com"'
    return cause


def _check_labels(name: str, *, is_whole: bool = True) -> str | None:
    """is_whole: no label follows."""
    labels = name.split(".")
    if len(name) > 253:
        return f"is too long: {len(name)} characters, at most 253 (RFC 1035)"
    if not names.is_host_name(name):
        return "is not a host name: each part between dots is 1 to 63 of a-z, 0-9 and -, with no - at its ends"
    if any(label.startswith("_") for label in labels):
        return 'has a part that starts with "_", which no browser accepts in a host name'
    if is_whole and labels[-1].isdigit():
        return "looks like an IP address but is none"
    return None


def check_server(host: str) -> str | None:
    """The host of a target: a name (with underscores, as containers have) or an IP address without brackets."""
    cause = check_text(host)
    if cause is not None:
        return cause
    address = names.address_of(host)
    if address is not None:
        good = "%" not in host and not host.startswith("[")
        return None if good else f"host {words.quoted(host)} must be an IP address without zone or brackets"
    if not names.is_host_name(host):
        return f"host {words.quoted(host)} is neither a lower-case name nor an IP address"
    is_like_an_address = "." in host and host.rsplit(".", 1)[1].isdigit()
    return f"host {words.quoted(host)} looks like an IP address but is none" if is_like_an_address else None


def check_host_header(value: str) -> str | None:
    """What a server is sent as Host: a name or an address, and maybe a port."""
    cause = check_text(value)
    if cause is None and not _HOST_HEADER.match(value):
        return 'is not a host with an optional port, such as "app.internal:8080"'
    return cause


# --- paths and URLs --------------------------------------------------------------------------------------------


def check_route_path(path: str, *, with_patterns: bool = False, used_in: str = "") -> str | None:
    """The path of a route, in the forms of `route_paths`; with_patterns: or a container's regular expression. nginx
    compares them with decoded paths. used_in: a text that uses groups of it."""
    cause = _find_path_cause(path, with_patterns=with_patterns, used_in=used_in)
    if cause is None or "; write " in cause:
        return cause
    return f"{cause}{cures.write(_find_path_cause, *spellings.paths(path))}"


def _find_path_cause(path: str, *, with_patterns: bool = False, used_in: str = "") -> str | None:
    cause = check_text(path)
    if cause is not None:
        return cause
    kind = route_paths.find_kind(path)
    if kind is route_paths.Kind.SUFFIX:
        return route_paths.check_suffix(path)
    if kind is route_paths.Kind.EXPRESSION and (with_patterns or route_paths.is_of_file(path)):
        before, expression = route_paths.split_expression(path)
        is_of_file = route_paths.is_of_file(path)
        if is_of_file:
            return expressions.check(expression, f"{before} ", used_in)
        return patterns.check(expression) or match_times.find_cause(expression)
    path = path.removeprefix("= ")
    size, decoded = len(path.encode()), urllib.parse.unquote(path)
    if not path.startswith("/"):
        cause = 'must start with "/"'
    elif path != path.strip():
        cause = "ends in white space"
    elif size > MAX_PATH_BYTES:
        cause = f"is too long: {size} bytes, at most {MAX_PATH_BYTES}"
    elif (sign := path_patterns.find(path)) is not None:
        cause = (
            f"holds {words.quoted(sign)}, which is a pattern in other tools; a route is a prefix, and this one "
            f"would never match{path_patterns.find_way(path)}"
        )
    elif "?" in path or "#" in path:
        cause = 'holds "?" or "#"; a route is chosen by its path alone'
    elif "//" in path or any(part in {".", ".."} for part in path.split("/")):
        cause = 'holds "//", "." or "..", which nginx resolves before it chooses a route, so it would never match'
    elif decoded != path:
        cause = "is percent-encoded, but nginx compares decoded paths"
    return cause


def check_target_path(path: str) -> str | None:
    """What replaces a matched prefix. nginx sends it as it is."""
    cause = _find_target_path_cause(path)
    return None if cause is None else f"{cause}{cures.write(_find_target_path_cause, *spellings.target_paths(path))}"


def _find_target_path_cause(path: str) -> str | None:
    cause = check_text(path)
    if cause is not None:
        return cause
    bad = _AMBIGUOUS.search(path)
    if not path.startswith("/"):
        cause = f'path {words.quoted(path)} must start with "/"'
    elif "?" in path or "#" in path:
        cause = "a target cannot hold a query or a fragment; the request's own query is passed on"
    elif ".." in path.split("/"):
        cause = 'its path holds ".."'
    elif "$" in path:
        cause = "holds a $, and a target's path takes no variables: what follows the route's path is appended by itself"
    elif bad is not None:
        cause = f"holds {words.quoted(path[bad.start() :][:3])}, which nginx cannot send unchanged; remove it"
    elif "\ufffd" in urllib.parse.unquote(path):
        cause = "is not UTF-8 when it is decoded"
    else:
        cause = _check_url_characters(path)
    return cause


def check_redirect(to: str) -> str | None:
    """Where a redirect leads: an http(s) URL or a path, variables allowed."""
    cause = _find_redirect_cause(to)
    return None if cause is None else f"{cause}{cures.write(_find_redirect_cause, *spellings.redirects(to))}"


def _find_redirect_cause(to: str) -> str | None:
    cause = check_text(to) or _find_variable_cause(to)
    if cause is not None:
        return cause
    if (capture := _CAPTURE.search(to)) is not None:
        return (
            f"holds {words.quoted(capture.group())}, a part of a regular expression, and there is none: "
            "`$request_uri` is the whole path and query of the request, `$uri` the path"
        )
    scheme, separator, rest = to.partition("://")
    is_url = bool(separator) and scheme.lower() in {"http", "https"} and bool(rest.strip("/"))
    if not is_url and not to.startswith(("/", "$")):
        return 'is neither a URL ("https://example.com/x") nor a path ("/x")'
    return _check_url_characters(_VARIABLE.sub("$", to))


def _check_url_characters(text: str) -> str | None:
    bad = next((char for char in text if not _VISIBLE_ASCII.match(char) or _UNSAFE_IN_URL.match(char)), None)
    if bad is None:
        return None
    return f"holds {words.quoted(bad)}, which a URL cannot"


def check_absolute(path: str) -> str | None:
    """A path on this machine (or, for FastCGI, on the server's)."""
    return check_text(path) or (None if path.startswith("/") else "must be an absolute path")


def check_socket(path: str) -> str | None:
    cause = check_absolute(path)
    if cause is not None:
        return f"unix socket {words.quoted(path)} {cause}"
    if ":" in path:
        return f'unix socket {words.quoted(path)} holds ":", which nginx takes for the end of its path'
    size = len(path.encode())
    return (
        f"unix socket path is too long: {size} bytes, at most {MAX_SOCKET_BYTES}" if size > MAX_SOCKET_BYTES else None
    )


# --- headers and variables -------------------------------------------------------------------------------------


def check_header_name(name: str, *, request: bool) -> str | None:
    """RFC 9110 section 5.1, without "$", which nginx would take for a variable."""
    if not _HEADER_NAME.match(name):
        return "is not a header name: expected 1 to 200 letters, digits and - (RFC 9110 section 5.1)"
    if name.lower() in CONNECTION_HEADERS:
        return "concerns one connection or a body's length; daemun and nginx set it themselves"
    if not request and name.lower() in {"server", "date"}:
        return "is nginx's own in every answer"
    if name.lower() == "host":
        return "cannot be set here; use `host_header`" if request else "is a request header"
    return None


def check_media_type(text: str) -> str | None:
    if not _MEDIA_TYPE.match(text):
        return 'is not a media type, such as "text/css"'
    return check_fixed_bucket(text)


def check_fixed_bucket(name: str) -> str | None:
    """Names of which nginx makes a hash table whose buckets have a fixed size (ngx_hash.h): 64 bytes hold a pointer, a
    length and the name. One that is longer would keep nginx from starting at all."""
    if len(name) <= MAX_BUCKET_CHARACTERS:
        return None
    return f"is too long for nginx here: {len(name)} characters, at most {MAX_BUCKET_CHARACTERS}"


def check_variables(text: str) -> str | None:
    """Whether each `$name` is a variable that an owner's text may use. A `$` that starts no name is a dollar sign."""
    cause = _find_variable_cause(text)
    return None if cause is None else f"{cause}{cures.write(_find_variable_cause, other_tools.with_variables(text))}"


def _find_variable_cause(text: str) -> str | None:
    for match in _VARIABLE.finditer(text):
        name = match.group(1) if match.group(1) is not None else match.group(2)
        if not names.is_variable(name):
            is_known = other_tools.is_placeholder(f"${name}")
            near = None if is_known else words.nearest(name.lower(), names.VARIABLES)
            hint = f"; did you mean {words.quoted('$' + near)}?" if near is not None else ""
            return f"uses {words.quoted('$' + name)}, which is not one of the variables allowed here{hint}"
    return None


def check_log_format(text: str) -> str | None:
    """A line of the access log. An unknown variable would keep nginx from starting at all."""
    for match in _VARIABLE.finditer(text):
        name = match.group(1) if match.group(1) is not None else match.group(2)
        if not names.is_variable(name) and name not in names.LOG_VARIABLES and not _SENT.match(name):
            return f"uses {words.quoted('$' + name)}, which is not one of the variables of a log"
    return check_text(text.replace("\n", "").replace("\t", ""))


# --- other texts -----------------------------------------------------------------------------------------------


def check_network(text: str) -> str | None:
    """A network in CIDR form, or one address."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return 'is not a network; expected a form such as "10.0.0.0/8", "fd00::/8" or "192.0.2.1"'
    expected = str(network) if "/" in text else str(network.network_address)
    if "%" in text:
        return 'holds a zone ("%")'
    return None if text == expected else f"is written otherwise in CIDR form{cures.write(check_network, expected)}"


def check_email(text: str) -> str | None:
    cause = check_text(text)
    match = _EMAIL.match(text)
    if cause is None and (match is None or "." not in match.group(1) or not names.is_host_name(match.group(1).lower())):
        return "is not an e-mail address"
    return cause


def check_directory(text: str) -> str | None:
    """RFC 8555 section 6.1: ACME is spoken over HTTPS only."""
    return check_text(text) or (None if _is_url(text, "https") else "is not an https URL")


def check_web_url(text: str) -> str | None:
    """What daemun itself sends requests to: http or https, without a user."""
    return check_text(text) or (None if _is_url(text, "http", "https") else "is not an http or https URL")


def _is_url(text: str, *schemes: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(text)
        good = parts.scheme in schemes and bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        return False
    return good and _VISIBLE_ASCII.match(text) is not None


def check_user(text: str) -> str | None:
    return None if _USER.match(text) else "is not the name of an account"


def check_number(value: float, *, least: float, most: float) -> str | None:
    """NaN is never good."""
    if least <= value <= most:
        return None
    return f"{_shown(value)} is not between {_shown(least)} and {_shown(most)}"


def _shown(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.15g}"


def check_command(command: tuple[str, ...]) -> str | None:
    """A program and its arguments; none is good. No shell looks for it, and what the account of daemun has on its PATH
    is not what a person sees."""
    if command and not command[0].startswith("/"):
        return f"{words.quoted(command[0])} is not an absolute path of a program"
    return "holds a NUL character" if any("\0" in word for word in command) else None
