"""The nginx of this machine, and what else rendering needs to know of it."""

import dataclasses

from daemun import settings as settings_
from daemun.core import layout as layout_
from daemun.core import model, render_environment
from daemun.core.options import workers_option
from daemun.nginx import find_nginx as find_nginx_
from daemun.nginx import machine_limits, worker_account


def find_nginx(settings: settings_.Settings) -> render_environment.Nginx:
    """Raises: EnvironmentProblemError with what was looked at."""
    return find_nginx_.find(str(settings.nginx) if settings.nginx else None)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What rendering needs that does not change while daemun runs."""

    binary: render_environment.Nginx
    layout: layout_.Layout
    account: worker_account.WorkerAccount | None

    def describe(
        self, current: model.Globals, *, thumbprint: str | None, resolver: str | None
    ) -> render_environment.Environment:
        return render_environment.Environment(
            layout=self.layout,
            nginx=self.binary,
            thumbprint=thumbprint,
            user=self.account.user if self.account else None,
            group=self.account.group if self.account else None,
            resolver=resolver,
            ca_bundle=machine_limits.find_ca_bundle(),
            workers=workers_option.OPTION.of(current) or machine_limits.count_cores(),
            ipv6=machine_limits.has_ipv6(),
            open_files=machine_limits.count_open_files(),
        )
