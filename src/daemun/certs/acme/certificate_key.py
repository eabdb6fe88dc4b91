"""The key of a certificate that a CA signs: which type is wanted, and a new one."""

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, types

from daemun.certs.served import local_ca
from daemun.core import model

_CURVES = {model.KeyType.ECDSA_P256: ec.SECP256R1, model.KeyType.ECDSA_P384: ec.SECP384R1}
_BITS = {model.KeyType.RSA_2048: 2048, model.KeyType.RSA_3072: 3072, model.KeyType.RSA_4096: 4096}


def wanted_type(ordering: model.Ordering) -> model.KeyType:
    return ordering.key_type or model.KeyType.ECDSA_P256


def make_pem(ordering: model.Ordering) -> bytes:
    """A new key. Blocking: one of RSA takes up to seconds, in which other threads go on."""
    wanted = wanted_type(ordering)
    if wanted in _CURVES:
        return local_ca.private_pem(ec.generate_private_key(_CURVES[wanted]()))
    return local_ca.private_pem(rsa.generate_private_key(public_exponent=65537, key_size=_BITS[wanted]))


def type_of_pem(key_pem: bytes) -> model.KeyType | None:
    """None: none of those that can be chosen. Raises: ValueError: it is no key."""
    return type_of(serialization.load_pem_private_key(key_pem, password=None).public_key())


def type_of(key: types.PublicKeyTypes) -> model.KeyType | None:
    if isinstance(key, ec.EllipticCurvePublicKey):
        return next((kind for kind, curve in _CURVES.items() if isinstance(key.curve, curve)), None)
    if isinstance(key, rsa.RSAPublicKey):
        return next((kind for kind, bits in _BITS.items() if key.key_size == bits), None)
    return None
