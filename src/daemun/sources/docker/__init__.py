"""Containers as a source of sites: their labels have the host and path under which they are to be reached.

    engine ─► engine_client ─► containers ─► container_labels ─► container_sites ─► Snapshot
              (fetch)          (values)      (RouteRequests)     (who serves what; container_address: where)

Services of Docker Swarm and their tasks are such values, too:

    manager ─► engine_client ─► swarm_listing ─► swarm_tasks ─► containers
               (fetch; when: swarm_follower)     (a task is a container)

What is fetched again after `engine_events` follows from `engine_state`. Several engines have an `engine_watch` each,
and one translation of all their containers; those of another machine are reached as `engine_reach` decides.
Only `engine_client` with `engine_answers`, `ssh_connector`, `machine_lookup`, `own_container` and `engine_watch` touch
the world.
"""
