"""Containers as a source of sites: their labels have the host and path under which they are to be reached.

    engine ─► engine_client ─► containers ─► container_labels ─► container_sites ─► Snapshot
              (fetch)          (values)      (RouteRequests)     (who serves what; container_address: where)

What is fetched again after `engine_events` follows from `engine_state`.
Only `engine_client`, `own_container` and `docker_source` touch the world.
"""
