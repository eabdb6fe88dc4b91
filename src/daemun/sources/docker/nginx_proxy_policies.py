"""The TLS policies that nginx-proxy knows by name. Values only.

Sources: ssl-config.mozilla.org (guidelines 5.7); docs.aws.amazon.com/elasticloadbalancing/latest/application, "SSL
negotiation configurations": the lists of the ELBSecurityPolicy-* policies in OpenSSL's names.
"""

from daemun.core import model

_GCM_128 = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256")
_GCM_256 = ("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384")
_CBC_128 = ("ECDHE-ECDSA-AES128-SHA256", "ECDHE-RSA-AES128-SHA256")
_CBC_256 = ("ECDHE-ECDSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA384")
_SHA1_128 = ("ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA")
_SHA1_256 = ("ECDHE-RSA-AES256-SHA", "ECDHE-ECDSA-AES256-SHA")
_CHACHA = ("ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305")
_DHE = ("DHE-RSA-AES128-GCM-SHA256", "DHE-RSA-AES256-GCM-SHA384", "DHE-RSA-CHACHA20-POLY1305")
_RSA = ("AES128-GCM-SHA256", "AES128-SHA256", "AES256-GCM-SHA384", "AES256-SHA256")
_RSA_OLD = ("AES128-GCM-SHA256", "AES128-SHA256", "AES128-SHA", "AES256-GCM-SHA384", "AES256-SHA256", "AES256-SHA")

_RESTRICTED = (*_GCM_128, *_GCM_256)
_FORWARD = (*_GCM_128, *_CBC_128, *_GCM_256, *_CBC_256)
_FORWARD_OLD = (*_GCM_128, *_CBC_128, *_SHA1_128, *_GCM_256, *_CBC_256, *_SHA1_256)
_ALL = (*_FORWARD_OLD, *_RSA_OLD)
_MOZILLA = (*_GCM_128, *_GCM_256, *_CHACHA, *_DHE)
_MOZILLA_OLD = (
    *_MOZILLA,
    *_CBC_128,
    *_SHA1_128,
    *_CBC_256,
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA",
    "DHE-RSA-AES128-SHA256",
    "DHE-RSA-AES256-SHA256",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA256",
    "AES256-SHA256",
    "AES128-SHA",
    "AES256-SHA",
    "DES-CBC3-SHA",
)
_WITH_3DES = (*_ALL, "DES-CBC3-SHA")
_WITH_DHE = (*_ALL, "DHE-RSA-AES128-SHA")

_1_3 = ("TLSv1.3",)
_1_2 = ("TLSv1.2",)
_FROM_1_2 = ("TLSv1.2", "TLSv1.3")
_FROM_1_1 = ("TLSv1.1", "TLSv1.2", "TLSv1.3")
_FROM_1_0 = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_1_1_TO_1_2 = ("TLSv1.1", "TLSv1.2")
_1_0_TO_1_2 = ("TLSv1", "TLSv1.1", "TLSv1.2")

_OLD = frozenset({"TLSv1", "TLSv1.1"})


def _policy(
    name: str, protocols: tuple[str, ...], ciphers: tuple[str, ...], *, prefers_server: bool = True
) -> model.TlsPolicy:
    """OpenSSL 3 refuses the signatures of TLS 1.0 and 1.1 (SHA-1) but at its lowest security level."""
    written = (*ciphers, "@SECLEVEL=0") if _OLD & set(protocols) else ciphers
    return model.TlsPolicy(name=name, protocols=protocols, ciphers=":".join(written), prefers_server=prefers_server)


POLICIES = {
    policy.name: policy
    for policy in (
        # With TLS 1.3 alone the list is not used, but nginx's default would not do.
        _policy("Mozilla-Modern", _1_3, _GCM_256, prefers_server=False),
        _policy("Mozilla-Intermediate", _FROM_1_2, _MOZILLA, prefers_server=False),
        _policy("Mozilla-Old", _FROM_1_0, _MOZILLA_OLD),
        _policy("AWS-TLS13-1-3-2021-06", _1_3, _GCM_256),
        _policy("AWS-TLS13-1-2-2021-06", _FROM_1_2, _FORWARD),
        _policy("AWS-TLS13-1-2-Res-2021-06", _FROM_1_2, _RESTRICTED),
        _policy("AWS-TLS13-1-2-Ext1-2021-06", _FROM_1_2, (*_FORWARD, *_RSA)),
        _policy("AWS-TLS13-1-2-Ext2-2021-06", _FROM_1_2, _ALL),
        _policy("AWS-TLS13-1-1-2021-06", _FROM_1_1, _ALL),
        _policy("AWS-TLS13-1-0-2021-06", _FROM_1_0, _ALL),
        _policy("AWS-FS-1-2-Res-2020-10", _1_2, _RESTRICTED),
        _policy("AWS-FS-1-2-Res-2019-08", _1_2, _FORWARD),
        _policy("AWS-FS-1-2-2019-08", _1_2, _FORWARD_OLD),
        _policy("AWS-FS-1-1-2019-08", _1_1_TO_1_2, _FORWARD_OLD),
        _policy("AWS-FS-2018-06", _1_0_TO_1_2, _FORWARD_OLD),
        _policy("AWS-TLS-1-2-Ext-2018-06", _1_2, _ALL),
        _policy("AWS-TLS-1-2-2017-01", _1_2, (*_FORWARD, *_RSA)),
        _policy("AWS-TLS-1-1-2017-01", _1_1_TO_1_2, _ALL),
        _policy("AWS-2016-08", _1_0_TO_1_2, _ALL),
        _policy("AWS-2015-05", _1_0_TO_1_2, _WITH_3DES),
        _policy("AWS-2015-03", _1_0_TO_1_2, (*_WITH_DHE, "DES-CBC3-SHA")),
        _policy("AWS-2015-02", _1_0_TO_1_2, _WITH_DHE),
    )
}
"""Without the DSS suites, which no certificate authority has certificates for."""
