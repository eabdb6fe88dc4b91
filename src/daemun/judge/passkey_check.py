"""What passkeys sign, made and verified by `webauthn`. Slow to import, and some 16 MB: for gates with a sign-in only.

Whatever is verified was sent by a visitor: a failure of any kind is a refusal.
"""

import json
import typing

import webauthn
from webauthn.helpers import (
    base64url_to_bytes,
    bytes_to_base64url,
    cose,
    parse_attestation_object,
    parse_registration_credential_json,
    structs,
)

from daemun.core.access import login_passkeys, login_users

WITHIN_MS = 120_000
"""For the person at the authenticator."""
_LARGEST_KEY = 1100
"""Bytes: an RSA key of 8192 bits."""
_ALGORITHMS = [
    cose.COSEAlgorithmIdentifier.EDDSA,
    cose.COSEAlgorithmIdentifier.ECDSA_SHA_256,
    cose.COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
_FORMATS = {structs.AttestationFormat.NONE, structs.AttestationFormat.PACKED}
"""Of the statement about an authenticator, not requested: browsers leave it out, or let the key itself sign."""


class RefusedError(Exception):
    """What a browser sent does not verify."""


def make_creation(user: login_users.User, *, host: str, challenge: str, handle: str) -> str:
    """What a browser needs to make a passkey, as JSON. challenge, handle: base64url."""
    options = webauthn.generate_registration_options(
        rp_id=host,
        rp_name=host,
        user_id=base64url_to_bytes(handle),
        user_name=user.name,
        user_display_name=user.display or user.name,
        challenge=base64url_to_bytes(challenge),
        timeout=WITHIN_MS,
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.REQUIRED,
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[
            structs.PublicKeyCredentialDescriptor(id=base64url_to_bytes(one.id)) for one in user.passkeys
        ],
        supported_pub_key_algs=_ALGORITHMS,
    )
    return str(webauthn.options_to_json(options))


def make_request(*, host: str, challenge: str) -> str:
    """What a browser needs to use a passkey that it finds itself, as JSON."""
    options = webauthn.generate_authentication_options(
        rp_id=host,
        challenge=base64url_to_bytes(challenge),
        timeout=WITHIN_MS,
        user_verification=structs.UserVerificationRequirement.REQUIRED,
    )
    return str(webauthn.options_to_json(options))


def verify_creation(sent: str, *, host: str, origin: str, challenge: str) -> tuple[str, str, int]:
    """id and key of a new passkey, base64url, and its counter. Raises: RefusedError."""
    try:
        credential = parse_registration_credential_json(_read(sent))
        kind = parse_attestation_object(credential.response.attestation_object).fmt
        found = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=host,
            expected_origin=origin,
            require_user_verification=True,
            supported_pub_key_algs=_ALGORITHMS,
        )
    except Exception:
        raise RefusedError from None
    if kind not in _FORMATS or len(found.credential_public_key) > _LARGEST_KEY:
        raise RefusedError
    return bytes_to_base64url(found.credential_id), bytes_to_base64url(found.credential_public_key), found.sign_count


def find_named(sent: str) -> tuple[str, str]:
    """The id of the passkey, and the handle of its user. Raises: RefusedError."""
    try:
        found = _read(sent)
        named = (found["id"], found["response"]["userHandle"])
    except (ValueError, LookupError, TypeError, RecursionError):
        raise RefusedError from None
    if not all(isinstance(one, str) for one in named):
        raise RefusedError
    return named


def verify_use(
    sent: str, passkey: login_passkeys.Passkey, *, host: str, origin: str, challenge: str, counter: int
) -> int:
    """The new counter; 0: it has none. counter: of the last use. Raises: RefusedError."""
    try:
        found = webauthn.verify_authentication_response(
            credential=_read(sent),
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=host,
            expected_origin=origin,
            credential_public_key=base64url_to_bytes(passkey.key),
            credential_current_sign_count=counter,
            require_user_verification=True,
        )
    except Exception:
        raise RefusedError from None
    if bytes_to_base64url(found.credential_id) != passkey.id:
        raise RefusedError
    return int(found.new_sign_count)


def _read(sent: str) -> dict[str, typing.Any]:
    found = json.loads(sent)
    if not isinstance(found, dict):
        raise RefusedError
    return found
