"""What the loop needs of certificates (`daemun.certs`), and of names that are added while the gate runs
(`daemun.on_demand`). As in `ports`, each Protocol's docstring is its contract.
"""

import collections.abc
import typing

from daemun.core import model
from daemun.core.certificates import on_demand_names


class Certificates(typing.Protocol):
    """Certificates in live/ (`daemun.certs`). No method waits for a CA."""

    def configure(self, acme: model.Acme) -> None:
        """Which CA is used from now on, and for which sites. Cheap when nothing changed."""
        ...

    def thumbprint(self) -> str | None:
        """The ACME account key's thumbprint (RFC 7638); makes the key on first use. None: there is no key that can be
        used, which the store reports. Blocking, milliseconds."""
        ...

    async def prepare(self, specs: collections.abc.Sequence[model.CertificateSpec]) -> tuple[model.Problem, ...]:
        """Make live/NAME/ hold a usable certificate for every spec before it returns: the one that is there, the
        owner's, or one of the local CA. Orders and renewals go on in the background for exactly these specs."""
        ...

    def wake(self) -> None:
        """Look now at what is due, and at the owner's files: what is there becomes live soon, without a `prepare`."""
        ...

    async def wait_for_files(self) -> None:
        """Returns when the owner's files were looked at since the last `wake`."""
        ...

    async def confirm(self) -> None:
        """nginx runs what the last `prepare` was for. It answers challenges for these names, so orders may begin; and
        it needs no others, so what live/ holds for them is removed."""
        ...

    def status(self, *, added: bool = True) -> tuple[model.CertificateStatus, ...]:
        """Of all. added: with those of names that were added to a site, of which there may be a hundred thousand."""
        ...

    def problems(self) -> tuple[model.Problem, ...]:
        """What is wrong now with the owner's files, and with writing live/."""
        ...

    def renew(self, host: str, *, force: bool = False) -> bool:
        """Order now the certificate of the site `host`, forgetting earlier failures. False: none such.

        force: also while the CA demands a wait. Raises: RetryableError: without it.
        """
        ...


class SingleCertificates(typing.Protocol):
    """Certificates that are added and removed one by one, besides those of the last `Certificates.prepare`
    (`daemun.certs`)."""

    async def add(self, *specs: model.CertificateSpec) -> None:
        """As `prepare` and `confirm`, for a few more. Their specs are among those of the next `prepare`."""
        ...

    async def remove(self, name: str) -> None:
        """The certificate of this name (`CertificateSpec.name`) is not needed any more, now."""
        ...


class Domains(typing.Protocol):
    """Names that are added to a site while the gate runs (`daemun.on_demand`)."""

    async def publish(self, desired: model.Desired) -> tuple[model.CertificateSpec, ...]:
        """Add names to the site of `desired` that takes them from now on. Returns: the certificates of all that were
        added so far and that no site has."""
        ...

    async def add(self, host: str) -> on_demand_names.RefusedName | None:
        """None: the name has a certificate under live/ and is served, also when it was there before. Its store may
        raise EnvironmentProblemError; it is then not added."""
        ...

    async def remove(self, host: str) -> bool:
        """Whether it was there."""
        ...

    def problems(self) -> tuple[model.Problem, ...]:
        """What people should know of names that visitors brought. Called on the event loop."""
        ...

    def hosts(self) -> tuple[str, ...]:
        """Sorted."""
        ...


class Examiner(typing.Protocol):
    """Looks at names before an order (`daemun.certs.preflight`)."""

    async def examine(
        self, hosts: collections.abc.Sequence[str], authority: model.Authority, ordering: model.Ordering
    ) -> tuple[model.Finding, ...]:
        """Every finding about an order for these hosts at this CA; takes seconds at most. Never raises: what could not
        be found out is no finding that blocks."""
        ...
