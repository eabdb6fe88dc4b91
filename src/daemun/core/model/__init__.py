"""The values everything else speaks of: what the sources ask for, what nginx is to do, what is wrong.

All are frozen and hold tuples, so they can be compared, hashed and shared between tasks. Units are in the
names; instants are aware UTC. Values here are already parsed: a `Target` has a host and a port, not a URL.
Rules that a parser cannot know (a host claimed twice, a weight of zero) are in `core.validate`.
"""

from daemun.core.model.certificate import CertificateSpec, CertificateState, CertificateStatus
from daemun.core.model.gate import (
    LETS_ENCRYPT,
    Acme,
    Address,
    Container,
    Default,
    DefaultKind,
    Desired,
    Docker,
    DockerTls,
    Globals,
    Logs,
    Snapshot,
)
from daemun.core.model.live import Actual, SiteState, SiteStatus, Worker
from daemun.core.model.problem import NOWHERE, Origin, Problem, Severity
from daemun.core.model.route import Files, Header, Redirect, Route, Snippet
from daemun.core.model.service import Check, Service, Wait, WaitedServer
from daemun.core.model.site import Answer, ClientCertificates, Hsts, HttpMode, Site, Tls, TlsMode, TlsPolicy
from daemun.core.model.target import (
    DEFAULT_PORTS,
    USUAL_MAX_BODY_BYTES,
    USUAL_RETRIES,
    Balance,
    Endpoint,
    Health,
    Pool,
    Proxy,
    Scheme,
    Target,
    Timeouts,
    UpstreamTls,
)

__all__ = [
    "DEFAULT_PORTS",
    "LETS_ENCRYPT",
    "NOWHERE",
    "USUAL_MAX_BODY_BYTES",
    "USUAL_RETRIES",
    "Acme",
    "Actual",
    "Address",
    "Answer",
    "Balance",
    "CertificateSpec",
    "CertificateState",
    "CertificateStatus",
    "Check",
    "ClientCertificates",
    "Container",
    "Default",
    "DefaultKind",
    "Desired",
    "Docker",
    "DockerTls",
    "Endpoint",
    "Files",
    "Globals",
    "Header",
    "Health",
    "Hsts",
    "HttpMode",
    "Logs",
    "Origin",
    "Pool",
    "Problem",
    "Proxy",
    "Redirect",
    "Route",
    "Scheme",
    "Service",
    "Severity",
    "Site",
    "SiteState",
    "SiteStatus",
    "Snapshot",
    "Snippet",
    "Target",
    "Timeouts",
    "Tls",
    "TlsMode",
    "TlsPolicy",
    "UpstreamTls",
    "Wait",
    "WaitedServer",
    "Worker",
]
