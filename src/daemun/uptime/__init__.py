"""Uptime of sites over 90 days, kept through restarts and damage.

- `uptime_recorder`: looks at all sites after changes and each minute, and has it stored.
- `status_page_writer`: writes the files of the public status page, which `status_page_files` makes.
- `uptime_store`: the file of it (SQLite), for one thread; `uptime_reader` reads it without a daemon.
"""
