"""Which forms of hashed passwords are known, and what one may cost. Pure; `judge.password_check` verifies them.

The forms are those that `htpasswd`, `openssl passwd`, `mkpasswd` and `daemun password` make.
"""

import enum
import re
import unicodedata

from daemun.core.texts import words


class HashKind(enum.Enum):
    """The values are the names of libpass's handlers (passlib.hash)."""

    ARGON2 = "argon2"
    BCRYPT = "bcrypt"
    SHA512_CRYPT = "sha512_crypt"
    SHA256_CRYPT = "sha256_crypt"
    APR1 = "apr_md5_crypt"
    SALTED_SHA1 = "ldap_salted_sha1"
    SHA1 = "ldap_sha1"


_BASE64 = r"[A-Za-z0-9+/]"
_CRYPT = r"[./A-Za-z0-9]"
_FORMS = {
    HashKind.ARGON2: (
        r"\$argon2(?:id|i|d)\$(?:v=19\$)?m=(?P<kibibytes>\d+),t=(?P<passes>\d+),p=(?P<lanes>\d+)"
        rf"\${_BASE64}+\${_BASE64}+"
    ),
    HashKind.BCRYPT: rf"\$2[aby]\$(?P<cost>\d\d)\${_CRYPT}{{53}}",
    HashKind.SHA512_CRYPT: rf"\$6\$(?:rounds=(?P<rounds>\d+)\$)?{_CRYPT}{{0,16}}\${_CRYPT}{{86}}",
    HashKind.SHA256_CRYPT: rf"\$5\$(?:rounds=(?P<rounds>\d+)\$)?{_CRYPT}{{0,16}}\${_CRYPT}{{43}}",
    HashKind.APR1: rf"\$apr1\${_CRYPT}{{0,8}}\${_CRYPT}{{22}}",
    HashKind.SALTED_SHA1: rf"\{{SSHA\}}{_BASE64}{{32,}}={{0,2}}",
    HashKind.SHA1: rf"\{{SHA\}}{_BASE64}{{27}}=",
}
_PATTERNS = {kind: re.compile(rf"{form}\Z") for kind, form in _FORMS.items()}
_MOST = {"kibibytes": 256 * 1024, "passes": 20, "lanes": 16, "cost": 14, "rounds": 1_000_000}
"""So that a request for the dearest one costs a second or two, and 256 MiB."""
LONGEST = 512
_OTHERS = re.compile(r"\$(?P<name>1|y|7|gy|scrypt|pbkdf2[a-z0-9-]*)\$")
_HOW = "`daemun password` makes one"


def find_kind(text: str) -> HashKind | None:
    """None: it is no hash of a known form."""
    if len(text) > LONGEST:
        return None
    return next((kind for kind, pattern in _PATTERNS.items() if pattern.match(text)), None)


def check_hash(text: str) -> str | None:
    """Why a text cannot be used as a hashed password; None: it can. What was found is not repeated unless it is of a
    form that cannot be a password."""
    kind = find_kind(text)
    if kind is None:
        other = _OTHERS.match(text)
        if other is not None:
            name = words.quoted(f"${other['name']}$")
            return f"is a hash of a form that cannot be verified ({name}); use argon2id, bcrypt or SHA-512: {_HOW}"
        if text.startswith("$") or re.match(r"\{[A-Z0-9-]+\}", text):
            return f"is no complete hash of a known form (argon2id, bcrypt, SHA-512, SHA-256, apr1, SHA-1); {_HOW}"
        return f"is no hashed password; a password itself is not kept in files: {_HOW}"
    match = _PATTERNS[kind].match(text)
    assert match is not None
    for name, value in match.groupdict().items():
        if value is not None and int(value) > _MOST[name]:
            cost = f"{name} {value}, {_MOST[name]} at most"
            return f"costs too much to verify for each visitor ({cost}); {_HOW} that does not"
    return None


KIBIBYTES, PASSES, LANES = 19 * 1024, 2, 1
"""What OWASP's Password Storage Cheat Sheet recommends for argon2id where many sign in: some 30 ms, and 19 MiB."""

LONGEST_USER = 255
LONGEST_PASSWORD = 1024
"""Characters."""


def check_user(name: str) -> str | None:
    """Why a name cannot be used to sign in (RFC 7617 section 2); None: it can."""
    if not name:
        return "is empty; write a name"
    if len(name) > LONGEST_USER:
        return f"has {len(name)} characters; expected {LONGEST_USER} at most"
    if ":" in name:
        return "has a colon, which ends the name when browsers send it; leave it out"
    if has_controls(name):
        return "has a character that nobody can type; leave it out"
    return None


def check_password(password: str) -> str | None:
    """As `check_user`; the password itself is not repeated."""
    if not password:
        return "is empty"
    if len(password) > LONGEST_PASSWORD:
        return f"has {len(password)} characters; expected {LONGEST_PASSWORD} at most"
    if has_controls(password):
        return "has a character that nobody can type, such as a line break"
    return None


def normalize(text: str) -> str:
    """Clients differ in how they write the same letters (RFC 7617 section 2.1: NFC)."""
    return unicodedata.normalize("NFC", text)


def has_controls(text: str) -> bool:
    return any(unicodedata.category(sign) == "Cc" for sign in text)
