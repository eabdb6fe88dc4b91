"""All that lives as long as the daemon, put together."""

import asyncio
import dataclasses
import os
import pathlib
import socket

import structlog

import daemun
from daemun import garbage, settings
from daemun.alerts import gate_facts, notifier
from daemun.banning import ban_registry, guess_reports
from daemun.certs import account_service, certificate_manager
from daemun.certs.dns01 import dns_proofs
from daemun.certs.served import client_links
from daemun.control import gate, lifecycle, nginx_upgrade, reconciler, reload_limiter
from daemun.core import model, render_environment, worker_generations
from daemun.core.options import docker_option, logs_option, user_option
from daemun.discovery import endpoints
from daemun.judge import judge_manager
from daemun.nginx import (
    access_lines,
    address_trial,
    child_reaper,
    master_watch,
    nginx_server,
    old_workers,
    process,
    worker_account,
)
from daemun.on_demand import ask_program, name_registry
from daemun.operators import operators
from daemun.sources import environment_source, last_good_file, yaml_file
from daemun.sources.docker import chosen_engine, nginx_proxy_mode, own_container
from daemun.sources.history import history_recorder, trial
from daemun.store import file_store, instance
from daemun.traffic import span_feeder, traffic_counter
from daemun.wiring import (
    alert_parts,
    clock,
    dashboard_parts,
    disk_watch,
    first_settings,
    fleet_parts,
    hold_parts,
    log_schedule,
    metrics_parts,
    nginx_environment,
    nginx_exposure,
    operator_parts,
    overview_parts,
    preflight_parts,
    probers,
    sockets,
    start_report,
    state_guard,
    uptime_parts,
)

log: structlog.stdlib.BoundLogger = structlog.get_logger()

FIRST_LOOK_S = 1.0
"""So long all sites are looked at before a line says how many are live: a server that is not there refuses at once."""
MOST_FIRST_LOOKS = 100
"""More sites are looked at in their turn, which takes as long as it takes."""


class Daemon:
    """Every part once; `live` lets them run."""

    def __init__(self, chosen: settings.Settings, binary: render_environment.Nginx, lock: instance.HeldLock) -> None:
        self._settings = chosen
        self._layout = chosen.layout
        own = file_store.FileStore(pathlib.Path(self._layout.store))
        source = yaml_file.YamlFile(chosen.config, state=chosen.layout.state, find_worker=worker_account.choose)
        known = last_good_file.recall(own, chosen.config, source)
        self._fleet = fleet_parts.FleetParts(chosen, own, source, known, wake=self._wake)
        store = self._fleet.store
        current = known.globals if known and known.globals else model.Globals()
        account = worker_account.choose_at_start(
            user_option.OPTION.of(first_settings.read(source) or current), running=process.find_user(self._layout)
        )
        self._disk = disk_watch.DiskWatch(
            self._layout, store.damage, account=account, changed=self._note_trouble, wake=self._wake
        )
        self._preflight = preflight_parts.LazyExaminer(lambda: preflight_parts.make(store))
        self._dns = dns_proofs.DnsProofs(store, clock.SystemClock(), lambda: self._certificates.specs)
        self._certificates = certificate_manager.Manager(
            store,
            self._layout,
            clock.SystemClock(),
            worker_gid=account.gid if account else None,
            provers=self._dns.provers,
            examiner=self._preflight,
            has_time=lambda: not self._gate.is_busy,
        )
        self._nginx = nginx_server.NginxServer(
            binary,
            self._layout,
            account,
            find_next=lambda: nginx_environment.find_next(chosen),
            find_endpoints=self._find_endpoints,
        )
        self._endpoints = endpoints.Discovery(store, seed=self._layout.state, clients=self._nginx, wake=self._wake)
        self._logs = log_schedule.Rotation(self._nginx, logs_option.OPTION.of(current))
        self._access_lines = access_lines.AccessLines(self._layout)
        self._traffic = traffic_counter.TrafficCounter(self._layout, store.damage, reopen=self._nginx.reopen_logs)
        self._spans = span_feeder.SpanFeeder(self._layout, store.damage, reopen=self._nginx.reopen_logs)
        self._metrics = metrics_parts.make(lambda: self._gate, self._traffic, store.damage)
        self._machine = nginx_environment.Machine(layout=self._layout, account=account)
        self._remembering = last_good_file.Remembering(source, store, chosen.config, known)
        file = environment_source.FileOrEnvironment(
            self._fleet.wrap(self._remembering),
            chosen.config,
            os.environ,
            is_known=known is not None or chosen.config_was_chosen,
        )
        self._containers = chosen_engine.ChosenEngine(
            clock.SystemClock(), store, environ=os.environ, traces=own_container.read_traces()
        )
        self._domains = name_registry.Registry(store, self._certificates, clock.SystemClock())
        self._site_prober, self._stream_prober = probers.make(
            self._layout, account, self._endpoints, self._certificates, self._note_trouble
        )
        sites = uptime_parts.Sites(lambda: self._gate, self._site_prober, self._certificates)
        self._uptime, self._status_page = uptime_parts.make(self._layout, store.damage, sites, self._traffic)
        self._queue = hold_parts.make(self._endpoints, self._site_prober)
        self._judge = judge_manager.JudgeManager(
            store, self._layout, group=account.gid if account else None, version=daemun.__version__
        )
        self._guess_reports = guess_reports.GuessReports(self._layout)
        self._operators = operators.Operators(
            store, self._layout, clock.SystemClock(), self._judge.find_signed_in, self._judge.end_session
        )
        self._client_links = client_links.ClientLinks(store, clock.SystemClock())
        self._bans = ban_registry.BanRegistry(
            store,
            self._layout,
            clock.SystemClock(),
            (self._judge, self._guess_reports, self._operators.guesses),
            version=daemun.__version__,
            wake=self._wake,
        )
        recorder = history_recorder.Recorder(store, clock.SystemClock(), self._remembering.find_files)
        self._trial = trial.TrialManager(store, chosen.config, recorder, lambda caller: self._gate.apply(caller=caller))
        self._trial.go_back_if_overdue()
        self._compatible = nginx_proxy_mode.Compatible(file, environ=os.environ)
        self._reload_limits = reload_limiter.ReloadLimiter(
            old_workers.OldWorkerGenerations(self._layout, self._nginx.workers),
            clock.SystemClock(),
            wake=self._wake,
        )
        rounds = reconciler.Reconciler(
            sources=[self._compatible, self._containers],
            proxy=self._nginx,
            listening=address_trial.AddressTrial(lambda: self._nginx.binary.path, self._layout),
            certificates=self._certificates,
            domains=self._domains,
            endpoints=self._endpoints,
            held_requests=self._queue,
            judge=self._judge,
            describe_environment=self._describe,
            admission=self._reload_limits,
            configure=self._configure,
            last_good={file.name: self._compatible.complete(known)} if known else {},
        )
        self._alerts = notifier.Notifier(
            store,
            clock.SystemClock(),
            self._find_alert_input,
            machine=socket.gethostname(),
            version=daemun.__version__,
            options=chosen.options,
        )
        self._facts = gate_facts.GateFacts(
            self._layout,
            old_workers.OldWorkerGenerations(self._layout, self._nginx.workers),
            clock.SystemClock(),
            find_last=lambda: self._gate.last,
            look_at_nginx=lambda: nginx_exposure.look_at_serving(chosen),
            count_errors=self._traffic.count_errors,
            changed=self._note_trouble,
        )
        self._certificates.subscribe(self._note_certificates)
        self._gate = self._fleet.gate_class(
            fleet=self._fleet.watch_nodes(lambda: self._gate.last, self._note_trouble, self._dns),
            rounds=rounds,
            certificates=self._certificates,
            domains=self._domains,
            endpoints=self._endpoints,
            held_requests=self._queue,
            judge=self._judge,
            banning=self._bans,
            served=self._site_prober,
            streams=self._stream_prober,
            alerts=self._alerts,
            examiner=self._preflight,
            old_workers=self._reload_limits,
            observe=lambda: nginx_environment.observe(self._layout, self._nginx.workers),
            look_at_nginx=self._nginx.look_at_liveness,
            damage=store.damage,
            history=self._trial,
            identity=gate.DaemonIdentity(
                version=daemun.__version__,
                config_path=str(chosen.config),
                state_dir=self._layout.state,
                started_at=clock.SystemClock().now(),
            ),
            upgrade=nginx_upgrade.NginxUpgrade(self._nginx, wake=self._wake),
        )
        overview = overview_parts.make(
            self._fleet.join(self._gate, self._remembering, self._compatible),
            self._layout,
            store,
            self._traffic,
            lambda: self._site_prober.revision,
        )
        self._dashboard = dashboard_parts.DashboardTasks(
            dashboard_parts.ApiParts(
                settings=chosen,
                gate=self._gate,
                operators=self._operators,
                overview=overview,
                alerts=self._alerts,
                status_page=self._status_page,
                trials=self._trial,
                store=store,
                known=self._remembering,
                compatible=self._compatible,
                nginx=self._nginx,
                account=account,
                read_traffic=self._fleet.read_traffic,
            )
        )
        accounts = account_service.AccountService(store, clock.SystemClock(), self._certificates, reload=self._reload)
        self._fleet.follow(self._certificates, accounts, self._domains, self._bans, self._operators, self._judge)
        self._sockets = sockets.Sockets(
            layout=self._layout,
            group=account.gid if account else None,
            gate=self._gate,
            acme_service=accounts,
            queue=self._queue,
            program=ask_program.AskProgram(self._domains),
            guess_reports=self._guess_reports,
            links=self._client_links,
            trials=self._trial,
            operators=self._operators,
            overview=overview,
        )
        self._guard = state_guard.StateGuard(
            layout=self._layout,
            lock=lock,
            prepare=self._nginx.prepare,
            gate=self._gate,
            sockets=sockets.paths_of_tasks(self._layout),
        )

    async def live(self) -> bool:
        """Returns: whether another daemon is to go on."""
        self._fleet.prepare()
        await self._endpoints.start()
        await self._nginx.adopt()
        try:
            await self._live()
        finally:
            self._fleet.close()
            # It answers for as long as nginx asks, also when this daemon ended otherwise than it should.
            if await asyncio.to_thread(process.find_master, self._layout) is None:
                await self._judge.stop()
        return self._gate.begins_again

    async def _live(self) -> None:
        await lifecycle.live(
            front=self._gate,
            sources=[self._compatible, self._containers],
            proxy=self._nginx,
            is_serving=self._nginx.is_running,
            wait_until_gone=lambda: master_watch.wait_until_gone(self._layout),
            tasks={
                "last good file": self._remembering.run,
                "history": self._trial.recorder.run,
                "trial": self._trial.run,
                "containers": self._containers.run,
                "folders": lambda: self._compatible.watch_folders(self._gate.wake),
                "discovery": self._endpoints.run,
                "health checks": self._endpoints.check_health,
                "certificates": self._certificates.run,
                **self._fleet.list_tasks(),
                "alerts": self._alerts.run,
                "facts for alerts": self._facts.run,
                "live certificates": self._certificates.live_repair.run,
                "hook": self._certificates.hook.run,
                "records in DNS": self._dns.run,
                "control socket": self._sockets.serve_control,
                "hold socket": self._sockets.serve_hold,
                "domains socket": self._sockets.serve_domains,
                "client links socket": self._sockets.serve_client_links,
                "client links": self._client_links.run,
                "operators": self._operators.run,
                **self._dashboard.list(),
                "missed handshakes": self._sockets.listen_to_missed,
                "held requests": self._queue.run,
                "judge": self._judge.run,
                "bans": self._bans.run,
                "guesses": self._sockets.listen_to_guesses,
                "CrowdSec": self._bans.follow_crowdsec,
                "users": self._judge.watch_users,
                "identity providers": self._judge.providers.run,
                "logs": self._logs.run,
                "access lines": self._access_lines.run,
                "traffic": self._traffic.run,
                "metrics": self._metrics.run,
                "traces": self._spans.run,
                "disk": self._disk.run,
                "old workers": self._reload_limits.run,
                "nginx upgrade": self._gate.watch_nginx,
                "uptime": self._uptime.run,
                "status page": self._status_page.run,
                "visitor": self._site_prober.run,
                "client of streams": self._stream_prober.run,
                "orphans": child_reaper.reap_orphans,
            },
            guard_state=self._guard.run,
            on_rotate=self._logs.request,
            announce=self._announce,
        )

    async def _announce(self, front: gate.Gate) -> None:
        garbage.give_back()
        last = front.last
        is_seen = last is not None and len(last.sites) <= MOST_FIRST_LOOKS
        if is_seen:
            is_seen = not await self._site_prober.probe(None, within_s=FIRST_LOOK_S)
        start_report.announce(front, is_seen=is_seen)
        if not self._nginx.binary.keeps_large_pieces:
            await asyncio.to_thread(start_report.warn_of_allocator, self._settings, self._nginx.binary.path)
        garbage.spare()
        self._dns.start()
        if self._compatible.is_on:
            log.info("Watching docker events")  # nginx-proxy's users have scripts that wait for this line

    # Of parts that are made later than those that call these.

    def _wake(self) -> None:
        self._gate.wake()

    def _find_endpoints(self, service: str) -> tuple[model.Endpoint, ...]:
        return self._endpoints.endpoints(service)

    def _note_trouble(self) -> None:
        self._alerts.wake()
        self._uptime.wake()

    def _note_certificates(self) -> None:
        self._alerts.wake()
        self._site_prober.note_certificates()
        self._stream_prober.note_certificates()

    def _configure(self, found: model.Globals) -> None:
        """What follows the settings and is not nginx's, in each round."""
        self._fleet.configure(found)
        self._containers.set_compat(self._compatible.compat)
        self._containers.configure(docker_option.OPTION.of(found))
        self._preflight.configure(found)
        self._dns.configure(found.acme)
        self._bans.configure(found)
        operator_parts.configure(self._operators, found)
        logs = logs_option.OPTION.of(found)
        self._logs.configure(logs)
        self._traffic.switch(is_on=logs.traffic)
        metrics_parts.configure(self._metrics, self._traffic, self._spans, found)
        self._access_lines.switch(is_on=log_schedule.is_on_stdout(logs, os.environ))

    def _describe(self, current: model.Globals) -> render_environment.Environment:
        described = self._machine.describe(
            current,
            binary=self._nginx.binary,
            thumbprint=self._certificates.thumbprint(),
            resolver=self._endpoints.address,
        )
        return dataclasses.replace(
            described,
            next_user=worker_account.next_user(user_option.OPTION.of(current)),
            named_addresses=self._endpoints.find_named(),
            ban_steps=self._bans.steps,
            ticket_keys=self._fleet.write_tickets(),
        )

    def _find_alert_input(self) -> notifier.AlertInput | None:
        looks, nodes = (self._site_prober, self._stream_prober), self._fleet.nodes
        last, certs, alerts = self._gate.last, self._certificates, self._alerts
        return alert_parts.find_input(
            last, certs, looks, disk=self._disk, facts=self._facts, bans=self._bans, nodes=nodes, alerts=alerts
        )

    async def _reload(self) -> None:
        """For a new shared key of the accounts: nginx answers CAs with it."""
        await self._gate.apply(worker_generations.Urgency.NEEDED)
