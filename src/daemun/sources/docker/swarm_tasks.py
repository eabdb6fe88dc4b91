"""Services of Docker Swarm and their tasks, as containers: labels ask for sites, tasks are who serves them. Pure.

A task counts while State and DesiredState are both "running": what Swarm has told to stop gets no new requests, and
what is on its way none yet. A service none of whose tasks is meant to run stands there itself, so that its site stays
and the reason is shown. Where its label wants it, its virtual address stands for all its tasks.
Source: docs.docker.com/engine/swarm/how-swarm-mode-works/swarm-task-states
"""

import collections
import collections.abc
import dataclasses

from daemun.core.texts import words
from daemun.sources.docker import container_labels, containers, swarm_listing

_NAME_OF_SERVICE = "com.docker.swarm.service.name"
_OF_TASK = "com.docker.swarm.task.id"
"""A label of each container that is a task's."""


def merge(
    listing: containers.ContainerListing, found: collections.abc.Iterable[containers.EngineContainer]
) -> containers.ContainerListing:
    """What the engine listed, and the tasks of the swarm. The containers of tasks request nothing besides."""
    own = (_silence(one) if _OF_TASK in dict(one.labels) else one for one in listing.containers)
    everything = sorted((*own, *found), key=lambda one: one.age)
    return dataclasses.replace(listing, containers=tuple(everything))


def silence_listed_twice(
    everything: collections.abc.Sequence[containers.EngineContainer],
) -> tuple[containers.EngineContainer, ...]:
    """Of several engines: containers of a worker request nothing where a manager listed their service."""
    services = {one.task.service_id for one in everything if one.task is not None} - {""}
    if not services:
        return tuple(everything)
    return tuple(
        _silence(one) if one.task is None and dict(one.labels).get(containers.SWARM_SERVICE) in services else one
        for one in everything
    )


def _silence(container: containers.EngineContainer) -> containers.EngineContainer:
    return dataclasses.replace(container, labels=(), environment=())


def has_tasks(listing: containers.ContainerListing) -> bool:
    """Whether tasks of a swarm run on the engine's machine."""
    return any(_OF_TASK in dict(one.labels) for one in listing.containers)


def make_containers(
    listing: swarm_listing.SwarmListing,
    networks: collections.abc.Iterable[containers.ContainerNetwork],
    *,
    docker: str = "docker",
) -> tuple[containers.EngineContainer, ...]:
    """networks: of the engine that was queried, for their names. docker: the command that reaches it."""
    nodes = {one.id: one for one in listing.nodes}
    names = {one.id: one.name for one in networks}
    tasks: dict[str, list[swarm_listing.ServiceTask]] = collections.defaultdict(list)
    for task in listing.tasks:
        tasks[task.service].append(task)
    return tuple(
        _with_command(container, docker)
        for service in listing.services
        if service.mode not in swarm_listing.JOBS
        for container in _of_service(service, tasks[service.id], nodes, names)
    )


def _with_command(container: containers.EngineContainer, docker: str) -> containers.EngineContainer:
    task = container.task
    if docker == "docker" or task is None or task.cure is None:
        return container
    cure = task.cure.replace("`docker ", f"`{docker} ")
    return dataclasses.replace(container, task=dataclasses.replace(task, cure=cure))


def _of_service(
    service: swarm_listing.SwarmService,
    tasks: collections.abc.Sequence[swarm_listing.ServiceTask],
    nodes: collections.abc.Mapping[str, swarm_listing.SwarmNode],
    names: collections.abc.Mapping[str, str],
) -> collections.abc.Iterator[containers.EngineContainer]:
    wanted = [_of_task(service, task, nodes.get(task.node)) for task in tasks if task.is_wanted]
    if _wants_vip(service):
        yield _with_vip(service, wanted, tasks, names)
    elif wanted:
        yield from wanted
    else:
        yield _of_all(service, *_explain_none(service, tasks))


def _of_task(
    service: swarm_listing.SwarmService, task: swarm_listing.ServiceTask, node: swarm_listing.SwarmNode | None
) -> containers.EngineContainer:
    """The labels of the service go before those of its containers, which may be older than the service's are now."""
    name = f"{service.name}.{task.slot or task.node}.{task.id}"
    is_running = task.state == swarm_listing.RUNNING
    unready, cure = _explain(service, task, node)
    return containers.EngineContainer(
        id=task.id,
        name=name,
        image=task.image,
        created_at=service.created_at,
        started_at=task.reported_at if is_running else containers.NEVER,
        labels=_labels(service, task.labels),
        environment=task.environment,
        ports=service.ports,
        network_mode="host" if task.uses_host_network else "",
        attachments=task.attachments,
        state=task.state,
        task=containers.SwarmTask(
            service=service.name,
            service_id=service.id,
            container=task.container,
            node_address=None if node is None else node.address,
            unready=unready,
            cure=cure,
        ),
    )


def _explain(
    service: swarm_listing.SwarmService, task: swarm_listing.ServiceTask, node: swarm_listing.SwarmNode | None
) -> tuple[str | None, str | None]:
    """Why a task that is meant to run gets no requests, and the cure."""
    which = f"its task {task.slot}" if task.slot is not None else "its task"
    where = "" if node is None else f" on node {words.quoted(node.name)}"
    if task.state == swarm_listing.RUNNING:
        if node is None or node.state != "down":
            return None, None
        cure = f"`docker node inspect {node.id}` shows the node"
        return f"waits for another task in place of {which}: node {words.quoted(node.name)} is down", cure
    reason = f"waits for {which}{where}, which is {words.quoted(task.state)}"
    if not task.error:
        return reason, None
    return f"{reason} ({task.error})", f"`docker service ps --no-trunc {service.name}` shows its tasks"


def _explain_none(
    service: swarm_listing.SwarmService, tasks: collections.abc.Sequence[swarm_listing.ServiceTask]
) -> tuple[str, str]:
    """Why no task of a service is meant to run, and the cure."""
    if service.replicas == 0:
        return "has no tasks: its replicas are 0", f"`docker service scale {service.name}=1` starts one"
    failed = [one for one in tasks if one.error]
    if failed:
        last = max(failed, key=lambda one: one.reported_at)
        cure = f"`docker service logs {service.name}` shows what it wrote"
        return f"has no running task: the last one is {words.quoted(last.state)} ({last.error})", cure
    if service.mode == swarm_listing.GLOBAL:
        cure = f"`docker service ps {service.name}` and `docker node ls` show whether a node fits its constraints"
        return "has no running task: no node takes one", cure
    return "has no running task", f"`docker service ps --no-trunc {service.name}` shows why"


def _of_all(service: swarm_listing.SwarmService, unready: str | None, cure: str | None) -> containers.EngineContainer:
    """The service as a whole."""
    return containers.EngineContainer(
        id=service.id,
        name=service.name,
        image=service.image,
        created_at=service.created_at,
        labels=_labels(service, service.container_labels),
        environment=service.environment,
        ports=service.ports,
        state="created" if unready else swarm_listing.RUNNING,
        task=containers.SwarmTask(
            service=service.name,
            service_id=service.id,
            unready=unready,
            cure=cure,
            is_wanted=service.replicas != 0,
        ),
    )


# --- the virtual address ---------------------------------------------------------------------------------------


def _wants_vip(service: swarm_listing.SwarmService) -> bool:
    way = dict(_labels(service, service.container_labels)).get(container_labels.SWARM, "")
    return way.strip() == container_labels.SWARM_WAYS[1]


def _with_vip(
    service: swarm_listing.SwarmService,
    wanted: collections.abc.Sequence[containers.EngineContainer],
    tasks: collections.abc.Sequence[swarm_listing.ServiceTask],
    names: collections.abc.Mapping[str, str],
) -> containers.EngineContainer:
    """Swarm passes connections to its address on to tasks, so it is there while one of them is."""
    if not service.has_vip:
        cause = f"has no virtual address, which its label {words.quoted(container_labels.SWARM)} wants: it has "
        cure = f"remove the label, or give it one with `docker service update --endpoint-mode vip {service.name}`"
        return _of_all(service, f"{cause}`endpoint_mode: dnsrr`", cure)
    ready = next((one for one in wanted if one.task is not None and one.task.unready is None), None)
    if ready is None:
        first = next((one.task for one in wanted if one.task is not None), None)
        return _of_all(service, *(_explain_none(service, tasks) if first is None else (first.unready, first.cure)))
    named = [dataclasses.replace(one, name=names.get(one.network, "")) for one in service.vips]
    vips = tuple(sorted(named, key=lambda one: (one.name, one.network)))
    return dataclasses.replace(_of_all(service, None, None), attachments=vips, started_at=ready.started_at)


def _labels(
    service: swarm_listing.SwarmService, of_container: tuple[tuple[str, str], ...]
) -> tuple[tuple[str, str], ...]:
    found = dict(of_container) | dict(service.labels) | {_NAME_OF_SERVICE: service.name}
    return tuple(sorted(found.items()))
