"""Files with secrets that cannot be read: of CrowdSec and of identity providers, which are needed while the gate runs.

For `daemun check`; the daemon reads them when they are used, and reports it then. Blocking, milliseconds.
"""

import collections.abc

from daemun import secret
from daemun.core import model, problem_report
from daemun.core.options import catalogue, crowdsec_option, login_option
from daemun.errors import ConfigError


def find_problems(snapshot: model.Snapshot) -> tuple[model.Problem, ...]:
    """Every one of them. A variable of the environment is another's than the daemon's."""
    report = problem_report.ProblemReport(host=None, origin=model.NOWHERE)
    for one, field in _find(snapshot):
        try:
            if one.file is not None:
                secret.read(one)
        except ConfigError as error:
            report.add(str(error), *field)
    return tuple(report.problems)


def _find(snapshot: model.Snapshot) -> collections.abc.Iterator[tuple[model.Secret, tuple[str | int, ...]]]:
    for held in catalogue.find_values(snapshot, {crowdsec_option.OPTION.name, login_option.OPTION.name}):
        if isinstance(held.value, crowdsec_option.CrowdSec):
            yield held.value.key, (*held.field, "key")
        elif isinstance(held.value, login_option.Login):
            for index, one in enumerate(held.value.providers):
                yield one.client_secret, (*held.field, "providers", index, "client_secret")
