"""What probes of sites and of streams need of the gate and the machine."""

import collections.abc
import dataclasses

from daemun.control import ports
from daemun.core import model
from daemun.probing import error_log, expected_certificates, server_tries, server_turns


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProbeInputs:
    """find_endpoints: service name -> its addresses now. find_certificates: what daemun serves. ca_bundle: the system's
    roots. has_ipv6: nginx listens there, too, where none is named. changed: called when a trouble may be new or over.
    """

    clock: ports.Clock
    find_endpoints: server_turns.FindEndpoints
    find_certificates: collections.abc.Callable[[], tuple[model.CertificateStatus, ...]]
    error_log_path: str
    ca_bundle: str | None = None
    machine: server_tries.ProbeMachine = dataclasses.field(default_factory=server_tries.ProbeMachine)
    has_ipv6: bool = False
    changed: collections.abc.Callable[[], None] = lambda: None

    def make_target_probe(self) -> server_turns.TargetProbe:
        return server_turns.TargetProbe(self.find_endpoints, ca_bundle=self.ca_bundle, machine=self.machine)

    def make_expected(self) -> expected_certificates.ExpectedCertificates:
        return expected_certificates.ExpectedCertificates(self.find_certificates)

    def make_error_log(self) -> error_log.ErrorLog:
        return error_log.ErrorLog(self.error_log_path)
