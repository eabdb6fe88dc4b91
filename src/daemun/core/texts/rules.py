r"""Rules for single texts of the model. Each returns the cause of a refusal, or None when the text is good. Pure.

Two rules hold everywhere, because each text becomes one argument of an nginx directive: no control characters, and
short enough. nginx reads an argument into a buffer of 4096 bytes (NGX_CONF_BUFFER in ngx_conf_file.h), quotes and
escapes included; a `$` takes 16 bytes there (see DOLLAR in core.serialise), a quote or backslash two.
"""

import ipaddress
import re
import unicodedata

import idna

from daemun.core.texts import cures, match_times, names, patterns, spellings, words

MAX_CHARACTERS = 2000
MAX_BYTES = 3600
MAX_SOCKET_BYTES = 107
"""unix(7): sun_path holds 108 bytes with the NUL."""
MAX_BYTES_OF_A_FILE = 1 << 50
YEAR_S = 366 * 86400.0

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Of Unicode's categories Cc, Cs, Zl and Zp, each character."""
_HOST_HEADER = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?\Z")
_EMAIL = re.compile(r"[A-Za-z0-9.!#%&'*+/=?^_`{|}~-]{1,64}@([^@\s]+)\Z")
_USER = re.compile(r"[a-z_][a-z0-9_.-]{0,31}\Z")


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
        return _check_shape(host) or _check_labels(host, is_complete=False)
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


def _check_labels(name: str, *, is_complete: bool = True) -> str | None:
    """is_complete: no label follows."""
    labels = name.split(".")
    if len(name) > 253:
        return f"is too long: {len(name)} characters, at most 253 (RFC 1035)"
    if not names.is_host_name(name):
        return "is not a host name: each part between dots is 1 to 63 of a-z, 0-9 and -, with no - at its ends"
    if any(label.startswith("_") for label in labels):
        return 'has a part that starts with "_", which no browser accepts in a host name'
    damaged = next((label for label in labels if label.startswith("xn--") and not _is_punycode(label)), None)
    if damaged is not None:
        cause = f'has a part, "{damaged}", that looks like punycode and is none, so no browser opens it'
        return f"{cause}; write the name in its own letters"
    if is_complete and labels[-1].isdigit():
        return "looks like an IP address but is none"
    return None


def _is_punycode(label: str) -> bool:
    """Whether a label "xn--..." is one that browsers write for letters beyond ASCII (RFC 3492, UTS 46). What no table
    of this machine knows yet is good."""
    try:
        letters = label.removeprefix("xn--").encode().decode("punycode")
        if letters.isascii() or letters.encode("punycode").decode() != label.removeprefix("xn--"):
            return False
        if any(unicodedata.category(letter) == "Cn" for letter in letters):
            return True
        return idna.uts46_remap(letters, std3_rules=False, transitional=False) == letters
    except UnicodeError:
        return False


INTERNAL_NAMES = ".daemun"
"""How the names end at which nginx queries daemun's DNS responder (`model.Pool.name`)."""


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
    if host.endswith(INTERNAL_NAMES):
        return f"host {words.quoted(host)} is a name that daemun itself makes for nginx; name the server itself"
    is_like_an_address = "." in host and host.rsplit(".", 1)[1].isdigit()
    return f"host {words.quoted(host)} looks like an IP address but is none" if is_like_an_address else None


def check_host_header(value: str) -> str | None:
    """What a server is sent as Host: a name or an address, and maybe a port."""
    cause = check_text(value)
    if cause is None and not _HOST_HEADER.match(value):
        return 'is not a host with an optional port, such as "app.internal:8080"'
    return cause


# --- files --------------------------------------------------------------------------------------------


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
