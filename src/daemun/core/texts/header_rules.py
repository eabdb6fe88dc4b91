"""Rules for the names of headers and media types. Each returns the cause of a refusal, or None. Pure."""

import re

MAX_BUCKET_CHARACTERS = 46

# RFC 9110 sections 7.6.1 and 6.4: they concern one connection, or of the length of a body, which nginx knows better.
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

_HEADER_NAME = re.compile(r"[!#%&'*+.^_`|~0-9A-Za-z-]{1,200}\Z")
_OPERATOR = re.compile(r"[+?>-](?=[A-Za-z][A-Za-z0-9-]*\Z)")
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,63}/(?:\*|[a-z0-9][a-z0-9.+-]{0,63})\Z")


def check_header_name(name: str, *, request: bool) -> str | None:
    """RFC 9110 section 5.1, without "$", which nginx would take for a variable."""
    cause = _find_name_cause(name)
    if cause is not None:
        return cause
    if name.lower() in CONNECTION_HEADERS:
        return "concerns one connection or a body's length; daemun and nginx set it themselves"
    if not request and name.lower() in {"server", "date"}:
        return "is nginx's own in every answer, without a version; leave it out"
    if name.lower() == "host":
        return "cannot be set here; use `host_header`" if request else "is a request header"
    return None


def _find_name_cause(name: str) -> str | None:
    sign = _OPERATOR.match(name)
    if sign is not None:
        way = f"`{name[1:]}:` with nothing as its value removes it" if sign.group() == "-" else f'write "{name[1:]}"'
        return f"begins with Caddy's sign {sign.group()}, which means nothing here; {way}"
    if "*" in name:
        return 'holds "*", which stands for no other names here; write each header'
    if not _HEADER_NAME.match(name):
        return "is not a header name: expected 1 to 200 letters, digits and - (RFC 9110 section 5.1)"
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
