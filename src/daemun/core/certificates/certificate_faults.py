"""What is wrong with a certificate, and what to do, for all who report it: sites, `doctor` and alerts. Pure."""

import collections.abc
import dataclasses
import datetime

from daemun.core import model

_REPLACE = "replace the files; daemun reads them again within a minute, and at once on `daemun apply`"
_LONGEST_REASON = 300


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFault:
    """is_useless: visitors refuse what they are shown. reason: one line; `daemun certs` shows all of it."""

    is_useless: bool
    reason: str
    cure: str


def find_fault(status: model.CertificateStatus, now: datetime.datetime) -> CertificateFault | None:
    """None: it is as it should be, or is on its way."""
    match status.state:
        case model.CertificateState.INVALID:
            return CertificateFault(is_useless=True, reason=_whole(status), cure=_REPLACE)
        case model.CertificateState.INCOMPLETE:
            return CertificateFault(is_useless=False, reason=_whole(status), cure=_REPLACE)
        case model.CertificateState.FAILING:
            by_files = status.next_attempt is None and not status.failures
            is_over = status.not_after is not None and now >= status.not_after
            return CertificateFault(
                is_useless=is_over or status.kind is model.CertificateKind.LOCAL,
                reason=_whole(status) if by_files else f"its certificate is not as asked for: {_brief(status)}",
                cure=find_cure(status),
            )
    return None


def find_cure(status: model.CertificateStatus) -> str:
    """What to do about one that fails, and what daemun does by itself."""
    if status.held_until is not None:
        return f"daemun tries again by itself at {status.held_until:%Y-%m-%d %H:%M UTC}, as the CA asked it to wait"
    if status.next_attempt is None and not status.failures:  # not from a CA: the owner's files are at fault
        return "correct the files; daemun reads them again within a minute, and at once on `daemun apply`"
    again = f"daemun tries again at {status.next_attempt:%Y-%m-%d %H:%M UTC}; " if status.next_attempt else ""
    return f"{again}`daemun certs renew {status.host}` tries at once"


def find_replacement(status: model.CertificateStatus) -> str:
    """What to do about one that is there, and that visitors refuse or do not see."""
    if status.state is model.CertificateState.NOT_SERVED:
        return "`daemun apply` writes it again; when that does not help, look at logs/error.log"
    return _REPLACE


def place(
    problems: collections.abc.Iterable[model.Problem],
    sites: collections.abc.Iterable[model.Site],
    *,
    known: collections.abc.Iterable[model.Problem] = (),
) -> tuple[model.Problem, ...]:
    """Those of certificates, with the site and the line that names the owner's files.

    known: of the sources, which may have reported files that are not there, with the line that names them.
    """
    found = tuple(problems)
    if not found:
        return ()
    reported = {problem.host for problem in known if problem.file is not None and problem.field[:1] == ("tls",)}
    by_host = {site.host: site for site in sites}
    return tuple(_placed(problem, by_host) for problem in found if problem.host not in reported)


def _placed(problem: model.Problem, sites: dict[str, model.Site]) -> model.Problem:
    site = sites.get(problem.host or "")
    if site is None or problem.origin.source != "file":
        return problem
    return dataclasses.replace(problem, origin=site.origin, message=f"{_site(site.host)}{problem.message}")


def is_reported(problem: model.Problem, statuses: collections.abc.Iterable[model.CertificateStatus]) -> bool:
    """Whether the state of one of these certificates has the same text."""
    if problem.host is None:
        return False
    message = problem.message.removeprefix(_site(problem.host))
    return any(status.host == problem.host and message in (status.reason or "") for status in statuses)


def _site(host: str) -> str:
    return f'site "{host}": '


def _whole(status: model.CertificateStatus) -> str:
    return " ".join((status.reason or "no reason is known").split())


def _brief(status: model.CertificateStatus) -> str:
    reason = _whole(status).partition(". The CA says")[0]
    if len(reason) <= _LONGEST_REASON:
        return reason
    return f"{reason[:_LONGEST_REASON].rpartition(' ')[0]} … (`daemun certs show {status.host}` tells all)"
