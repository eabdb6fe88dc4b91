"""One-time codes of an app (TOTP, RFC 6238), and recovery codes, of which each stands in once."""

import base64
import hmac
import secrets

import pyotp

RECOVERY_CODES = 8
_RECOVERY_BYTES = 10
STEP_S = 30


def draw_secret() -> str:
    return str(pyotp.random_base32())


def draw_recovery() -> tuple[str, ...]:
    """80 bits each, in letters that are hard to mistake."""
    return tuple(_draw_recovery() for _ in range(RECOVERY_CODES))


def _draw_recovery() -> str:
    text = base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode()
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def make_address(secret: str, user: str, issuer: str) -> str:
    """The otpauth: URL that apps read."""
    return str(pyotp.TOTP(secret).provisioning_uri(name=user, issuer_name=issuer))


def find_step(secret: str, code: str, now_s: float) -> int | None:
    """The time step that a code, as a person typed it, is of: this one or one beside it (RFC 6238 section 5.2)."""
    written = "".join(code.split())
    if not written.isascii():
        return None
    codes = pyotp.TOTP(secret)
    current = int(now_s) // STEP_S
    steps = (current, current - 1, current + 1)
    return next((step for step in steps if hmac.compare_digest(codes.generate_otp(step), written)), None)
