"""Secrets that are known by the form of a text wherever it stands: passwords and keys in URLs, hashes of passwords,
private keys, credentials of headers, comments that name one."""

import collections.abc
import re
import typing

HIDDEN = "(hidden)"
_HIDDEN = re.compile(r"\(hidden[^()]*+\)?")
"""Drafts and the history number what they hide; a form may end before the number."""

_PLAIN = re.compile(r"(?:[\w.,*@+-]|/|:(?!//))*+|[\w.,*+/:-]*+")
"""No secret has such a form, nor has a URL without `@` and `?`. Most texts are so, and this is found many times as
fast."""
_PRESENT = r"[\w-]*(?:authorization|cookie|token|secret|passw|api-?key)"
_KEY_OF_NGINX = r"(?:passw|secret|token|api_?key)"
_BY_FORM = (
    re.compile(
        r"-----BEGIN [A-Z ]*+(?<=PRIVATE KEY)-----(?P<secret>[^-]*+(?:-(?!----(?:BEGIN |END))[^-]*+)*+)-----END"
    ),
    re.compile(r"://[^\s/@:\"']*+:(?P<secret>[^\s/@\"']++)@"),
    re.compile(r"\b(?:Bearer|Basic)\s++(?P<secret>[A-Za-z0-9._~+/=-]{6,})"),
    re.compile(
        r"(?P<secret>\$(?:argon2|2[abxy]|apr1|[1567]|y|gy|scrypt|s0|bcrypt|pbkdf2)[\w-]*+\$[^\s\"'\\;}\]]++|"
        r"\{S?SHA[0-9]*+\}[A-Za-z0-9+/=]++)"
    ),
    re.compile(r"://(?P<secret>[^\s/@:\"'?#]{16,}+)@"),
    re.compile(
        r"[?&](?:[\w-]*(?:token|secret|passw|password|passwd|pwd|(?:api|access|private)[_-]?key)|key|pass|auth|sig|signature)="
        r"(?P<secret>[^&\s\"'#]++)",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b(?:set|env|\w+_param)\s++(?=[$\w-]*{_KEY_OF_NGINX})[$\w-]++[\s=]\s*+(?P<secret>[^;\n]++)", re.IGNORECASE
    ),
    re.compile(
        rf"\$(?:http|arg|cookie)_(?=\w*(?:{_KEY_OF_NGINX}|key|auth))\w++\s*+!?[=~]\*?\s*+[\"']?(?P<secret>[^\"')\s]++)",
        re.IGNORECASE,
    ),
    re.compile(r"\bsecure_link_md5\s++(?P<secret>[^;\n]++)"),
    re.compile(rf"\b\w+_set_header\s++[\"']?(?={_PRESENT})[\w-]++[\"']?\s++(?P<secret>[^;\n]++)", re.IGNORECASE),
)
"""Each takes a time that grows with the text alone: what repeats gives nothing back (`*+`), or ends where the next one
could begin."""
_COMMENT = re.compile("#[^\n]*+")
_IN_COMMENT = re.compile(
    r"(?<![\w.-])(?=[\w.-]*(?:passw|passphrase|secret|token|api[_-]?key|hmac_?key))[\w.-]++[\"']?"
    r"[ \t]*+(?:[:=]|is\b)[ \t]*+(?P<secret>[^\s#][^\n]*+)",
    re.IGNORECASE,
)


def hide(text: str) -> str:
    """A text without what looks like a secret; what is hidden in it already stays as it is."""
    if _PLAIN.fullmatch(text) is not None:
        return text
    pieces, end = list[str](), 0
    for start, stop in sorted(find(text)):
        if stop <= end or _HIDDEN.fullmatch(text, start, stop) is not None:
            continue
        if start >= end:
            pieces += [text[end:start], HIDDEN]
        end = stop
    return "".join([*pieces, text[end:]])


def hide_in(value: typing.Any) -> typing.Any:
    """The same of every text within a value for JSON, keys of objects included."""
    match value:
        case str():
            return hide(value)
        case dict():
            return {hide(key) if isinstance(key, str) else key: hide_in(one) for key, one in value.items()}
        case list() | tuple():
            return [hide_in(one) for one in value]
    return value


def find(text: str) -> collections.abc.Iterator[tuple[int, int]]:
    """Where each begins and ends, in no order; some overlap."""
    for pattern in _BY_FORM:
        for match in pattern.finditer(text):
            yield match.span("secret")
    for comment in _COMMENT.finditer(text):
        found = _IN_COMMENT.search(text, *comment.span())
        if found is not None:
            yield found.span("secret")
