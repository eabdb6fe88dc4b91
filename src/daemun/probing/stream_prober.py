"""Schedules the probes of streams. Implements `control.stream_port.ServedStreams`.

- Each server over TCP: when it is new, on request, after errors of it, and as long as it is in trouble. Some servers
  count connections that say nothing (MySQL), so one that answers is left alone.
- The addresses that streams listen on, and handshakes with those that show a certificate.
- nginx's error log, twice a second.

Where there are no streams, nothing is done.
"""

import asyncio
import collections.abc
import dataclasses
import datetime
import functools
import traceback

import structlog

from daemun.core import model
from daemun.core.options import streams_option
from daemun.core.served import served_judgement, stream_errors, stream_judgement, stream_targets
from daemun.probing import (
    bound_addresses,
    handshakes,
    observations,
    probe_inputs,
    server_turns,
)

log: structlog.stdlib.BoundLogger = structlog.get_logger()

TICK_S = 0.5
LISTENERS_EVERY_S = 60.0
SHAKE_EVERY_S = 60.0
SHAKE_AGAIN_S = 5.0
"""A handshake that went as it should is made again after the first, one that did not after the second."""
_STREAM = "stream "
"""In the log, before its name."""

Key = observations.Key
"""A stream's name, "", and the place of the server in it."""


@dataclasses.dataclass(slots=True)
class _Watched:
    """What is known of one stream. shake_at_s: no handshake is made before."""

    one: streams_option.NamedStream
    aims: dict[Key, model.Aim]
    servers: dict[Key, tuple[model.ServerLook, ...]] = dataclasses.field(default_factory=dict)
    bad: dict[str, model.HandshakeLook] = dataclasses.field(default_factory=dict)
    shaken_at: datetime.datetime | None = None
    shake_at_s: float = 0.0
    unbound: tuple[str, ...] = ()
    error: model.UpstreamError | None = None

    @property
    def look(self) -> model.StreamLook:
        return model.StreamLook(
            servers=tuple(one for key in self.aims for one in self.servers.get(key, ())),
            unbound=self.unbound,
            handshakes=tuple(self.bad.values()),
            shaken_at=self.shaken_at,
            last_error=self.error,
        )


class StreamProber:
    """Probes all streams in turn and on request. Not thread-safe: one per event loop. `run` must be running for what is
    looked at unasked."""

    def __init__(self, inputs: probe_inputs.ProbeInputs) -> None:
        self._clock = inputs.clock
        self._probe = inputs.make_target_probe()
        self._expected = inputs.make_expected()
        self._has_ipv6 = inputs.has_ipv6
        self._changed = inputs.changed
        self._log = inputs.make_error_log()
        self._watched: dict[str, _Watched] = {}
        self._pools: dict[str, model.Pool] = {}
        self._live: frozenset[str] = frozenset()
        self._listeners: dict[tuple[str, int, bool], str] = {}
        self._servers = server_turns.ServerTurns(self, "stream")
        self._shaken_now: set[str] = set()
        self._look_at_listeners_s = 0.0
        self._is_used = asyncio.Event()
        self._began_s: float | None = None

    # --- control.stream_port.ServedStreams -------------------------------------------------------------------------

    def publish(self, desired: model.Desired, streams: collections.abc.Iterable[model.StreamStatus]) -> None:
        wanted = {one.name: one for one in streams_option.find_enabled(desired.globals)}
        before, self._pools = self._pools, stream_targets.find_pools(desired, wanted.values())
        moved = {name for name, pool in self._pools.items() if before.get(name) != pool}
        self._live = frozenset(one.name for one in streams if one.state is model.SiteState.LIVE)
        for name in self._watched.keys() - wanted.keys():
            del self._watched[name]
        for name, one in wanted.items():
            known = self._watched.get(name)
            if known is not None and known.one == one:
                self._servers.add(key for key, aim in known.aims.items() if aim.service in moved)
                continue
            aims = {(name, "", place): aim for place, aim in enumerate(stream_targets.find_aims(one))}
            found = _Watched(one=one, aims=aims)
            if known is not None:
                tried = {aim: known.servers[key] for key, aim in known.aims.items() if key in known.servers}
                found.servers = {key: tried[aim] for key, aim in aims.items() if aim in tried}
            self._watched[name] = found
            self._servers.add(key for key in aims if key not in found.servers)
            self._look_at_listeners_s = 0.0
        self._listeners = stream_targets.find_listeners(one.one for one in self._watched.values())
        self._servers.forget(lambda key: self.find_target((key[0].removeprefix(_STREAM), "", key[2])) is not None)
        if self._watched:
            self._is_used.set()
        else:
            self._is_used.clear()

    def note_certificates(self) -> None:
        """Others may be served now."""
        self._expected.note_change()
        for one in self._watched.values():
            one.shake_at_s = 0.0

    def judge(
        self, streams: tuple[model.StreamStatus, ...], certificates: collections.abc.Iterable[model.CertificateStatus]
    ) -> tuple[model.StreamStatus, ...]:
        bad = [one for one in certificates if one.state in served_judgement.BAD_CERTIFICATES]
        now = self._clock.now()
        seen = (dataclasses.replace(one, look=self._look(one.name)) for one in streams)
        return tuple(stream_judgement.judge(one, stream_judgement.find_certificate(one, bad), now) for one in seen)

    def with_troubles(
        self,
        of_sites: tuple[model.SiteStatus, ...] | None,
        streams: tuple[model.StreamStatus, ...],
        certificates: collections.abc.Iterable[model.CertificateStatus],
    ) -> tuple[model.SiteStatus, ...] | None:
        """What visitors do not get: of sites, and the streams; None: not everything was looked at yet."""
        if of_sites is None or not self._watched:
            return of_sites
        if self._began_s is None or asyncio.get_running_loop().time() - self._began_s < server_turns.ALL_LOOKED_AT_S:
            return None
        # A certificate that cannot be had has alerts of its own.
        bad = (one for one in certificates if one.state is not model.CertificateState.FAILING)
        judged = (one for one in self.judge(streams, bad) if one.state in served_judgement.STATES)
        return (*of_sites, *map(stream_judgement.as_trouble, judged))

    def _look(self, name: str) -> model.StreamLook | None:
        found = self._watched.get(name)
        return None if found is None else found.look

    async def probe(self, *, within_s: float) -> int:
        keys = [key for one in self._watched.values() for key in one.aims]
        work = [self._servers.try_now(key, is_requested=True) for key in keys]
        work += [self._shake(name) for name, one in self._watched.items() if self._is_shaken(one)]
        work += [self._look_at_listeners()] if self._watched else []
        return await server_turns.run_within(within_s, work)

    async def run(self) -> None:
        """Look until cancelled."""
        self._servers.begin()
        self._shaken_now.clear()
        log_read_first = True
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    await self._is_used.wait()
                    now_s = asyncio.get_running_loop().time()
                    self._began_s = self._began_s or now_s
                    self._read_log(is_first=log_read_first)
                    log_read_first = False
                    self._servers.start(group, now_s)
                    for name, one in self._watched.items():
                        if self._is_shaken(one) and now_s >= one.shake_at_s and name not in self._shaken_now:
                            self._shaken_now.add(name)
                            group.create_task(self._shake(name), name=f"handshake of stream {name}")
                    if now_s >= self._look_at_listeners_s:
                        self._look_at_listeners_s = now_s + LISTENERS_EVERY_S
                        await self._look_at_listeners()
                    await asyncio.sleep(TICK_S)
        finally:
            self._log.close()

    # --- servers ---------------------------------------------------------------------------------------------------

    def find_target(self, key: Key) -> model.Aim | None:
        found = self._watched.get(key[0])
        return None if found is None else found.aims.get(key)

    def find_servers(self, key: Key) -> tuple[model.ServerLook, ...]:
        found = self._watched.get(key[0])
        return () if found is None else found.servers.get(key, ())

    async def try_target(self, aim: model.Aim) -> tuple[server_turns.Finding, ...]:
        explain = functools.partial(stream_targets.of_stream, aim)
        return await self._probe.run(aim, explain, absent_as=aim.written)

    def note_tried(self, key: Key, aim: model.Aim, found: tuple[server_turns.Finding, ...], now_s: float) -> None:
        if self.find_target(key) != aim:
            return  # it is another one meanwhile
        before = self.find_servers(key)
        looks = observations.follow_servers(before, found, self._clock.now())
        self._watched[key[0]].servers[key] = looks
        is_bad = self._servers.note(key, looks, now_s, logged_as=(f"{_STREAM}{key[0]}", "/", key[2]))
        if is_bad or any(one.trouble is not None for one in before):
            self._changed()

    # --- listeners -------------------------------------------------------------------------------------------------

    async def _look_at_listeners(self) -> None:
        bound = await asyncio.to_thread(bound_addresses.find)
        if bound is None:
            return
        for name, one in self._watched.items():
            known = bound[one.one.stream.is_udp]
            wanted = stream_targets.find_bound(one.one, has_ipv6=self._has_ipv6) if name in self._live else ()
            lost = [(host, port) for host, port in wanted if not stream_targets.is_among(host, port, known)]
            unbound = tuple(str(model.Address(host=host, port=port)) for host, port in lost)
            if unbound != one.unbound:
                one.unbound = unbound
                self._changed()

    def _is_shaken(self, one: _Watched) -> bool:
        return one.one.name in self._live and stream_targets.find_shaken_host(one.one) is not None

    async def _shake(self, name: str) -> None:
        """With every listener. Never raises but when cancelled."""
        try:
            watched = self._watched.get(name)
            host = stream_targets.find_shaken_host(watched.one) if watched is not None else None
            if watched is None or host is None:
                return
            bad: dict[str, model.HandshakeLook] = {}
            for address in self._visited(watched.one):
                found = await server_turns.confirmed(functools.partial(self._shake_once, host, address))
                if found is not None:
                    before = watched.bad.get(found.listener)
                    bad[found.listener] = found if before is None else dataclasses.replace(found, at=before.at)
            was_bad, watched.bad = bool(watched.bad), bad
            watched.shaken_at = self._clock.now()
            watched.shake_at_s = asyncio.get_running_loop().time() + (SHAKE_AGAIN_S if bad else SHAKE_EVERY_S)
            if bad or was_bad:
                self._changed()
        except Exception:
            log.error("a handshake could not be tried", stream=name, stack=traceback.format_exc())  # noqa: TRY400
        finally:
            self._shaken_now.discard(name)

    def _visited(self, one: streams_option.NamedStream) -> tuple[model.Address, ...]:
        found = (handshakes.reached_at(address, has_ipv6=self._has_ipv6) for address in one.stream.listen)
        return tuple(dict.fromkeys(address for addresses in found for address in addresses))

    async def _shake_once(self, host: str, address: model.Address) -> model.HandshakeLook | None:
        visited = host.replace("*", "daemun-probe", 1)
        shown = await handshakes.shake(address, visited, sends_proxy_line=False, ends=False)
        fingerprint = shown.fingerprint if isinstance(shown, served_judgement.Shown) else None
        now_s = asyncio.get_running_loop().time()
        return served_judgement.judge_handshake(
            shown,
            name=visited,
            listener=str(address),
            expected=() if fingerprint is None else self._expected.find(visited, fingerprint, now_s),
            now=self._clock.now(),
        )

    # --- the error log ---------------------------------------------------------------------------------------------

    def _read_log(self, *, is_first: bool) -> None:
        found = self._log.read()
        for text in found.lines:
            if (line := stream_errors.read_line(text)) is not None:
                self._note_error(line, left_out=found.left_out, is_old=is_first)

    def _note_error(self, line: stream_errors.StreamErrorLine, *, left_out: bool, is_old: bool) -> None:
        name = self._listeners.get((line.host, line.port, line.is_udp))
        watched = self._watched.get(name or "")
        if watched is None:
            return
        watched.error = served_judgement.add_error(
            watched.error, line.kind, line.words, line.at.astimezone(datetime.UTC), left_out=left_out
        )
        if is_old:
            return
        self._servers.note_error(watched.aims, asyncio.get_running_loop().time())
        self._changed()
