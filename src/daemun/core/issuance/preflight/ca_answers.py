"""Whether the CA answers, and whether its time is this machine's. Pure."""

import datetime

from daemun.core import model, new_findings
from daemun.core.issuance.preflight import facts

TOPIC_CA, TOPIC_CLOCK = "ca", "clock"
WRONG = datetime.timedelta(minutes=1)
USELESS = datetime.timedelta(hours=1)
"""Then certificates look as if they were not valid yet, or as if they were renewed too late."""

_SET = "set the clock (`timedatectl set-ntp true` lets systemd do it)"


def judge_ca(found: facts.CaDirectory, authority: model.Authority, now: datetime.datetime) -> tuple[model.Finding, ...]:
    """now: by this machine's clock, aware UTC."""
    where = authority.directory
    match found.answer:
        case facts.CaAnswer.DIRECTORY:
            answers = new_findings.good(TOPIC_CA, f"the CA at {where} answers")
            return (answers, *_judge_clock(found.ahead, now))
        case facts.CaAnswer.NOT_NOW:
            if found.ahead is not None and abs(found.ahead) > USELESS:
                return _judge_clock(found.ahead, now)
            message = f"the TLS certificate of the CA at {where} is not valid now ({found.detail})"
            cure = "the CA has to renew it; a second one under `acme.directory` is asked meanwhile"
        case facts.CaAnswer.UNTRUSTED:
            message = f"the TLS certificate of the CA at {where} is not trusted ({found.detail})"
            cure = "if it is a private CA, give its root as `acme.ca_file`; if not, something reads along between you"
            if authority.ca_file is not None:
                cure = f"check that `acme.ca_file` ({authority.ca_file}) holds the root of that server"
        case facts.CaAnswer.UNREACHABLE:
            message = f"the CA at {where} cannot be reached ({found.detail})"
            cure = "check `acme.directory` and this machine's way to the internet"
        case facts.CaAnswer.IN_TROUBLE:
            message = f"the CA at {where} is in trouble or in maintenance ({found.detail})"
            cure = "daemun tries again by itself; a second one under `acme.directory` is asked meanwhile"
        case facts.CaAnswer.NO_DIRECTORY:
            message = f"{where} answers with something else than an ACME directory ({found.detail})"
            cure = "check that `acme.directory` is the URL of a directory (RFC 8555); if it is, the CA is out of order"
    return (new_findings.warns(TOPIC_CA, message, cure),)


def _judge_clock(ahead: datetime.timedelta | None, now: datetime.datetime) -> tuple[model.Finding, ...]:
    if ahead is None:
        return ()
    if abs(ahead) <= WRONG:
        return (new_findings.good(TOPIC_CLOCK, "the clock agrees with the CA's"),)
    side = "ahead of" if ahead > datetime.timedelta() else "behind"
    message = f"this machine's clock, {now:%Y-%m-%d %H:%M:%S UTC}, is {_lasting(abs(ahead))} {side} the CA's"
    make = new_findings.blocks if abs(ahead) > USELESS else new_findings.warns
    return (make(TOPIC_CLOCK, message, _SET),)


def _lasting(span: datetime.timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes // 60} hours" if minutes < 2 * 1440 else f"{minutes // 1440} days"
