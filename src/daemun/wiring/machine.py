"""The nginx of this machine, and what else rendering needs to know of it."""

import dataclasses

from daemun import settings as settings_
from daemun.core import layout as layout_
from daemun.core import model
from daemun.core.render import render_environment
from daemun.nginx import account as worker_account
from daemun.nginx import find
from daemun.nginx import machine as nginx_machine


def find_nginx(settings: settings_.Settings) -> render_environment.Nginx:
    """Raises: EnvironmentProblemError that says what was looked at."""
    return find.find(str(settings.nginx) if settings.nginx else None)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What rendering needs that does not change while daemun runs."""

    binary: render_environment.Nginx
    layout: layout_.Layout
    account: worker_account.Account | None

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
            ca_bundle=nginx_machine.find_ca_bundle(),
            workers=current.workers or nginx_machine.count_cores(),
            ipv6=nginx_machine.has_ipv6(),
            open_files=nginx_machine.count_open_files(),
        )
