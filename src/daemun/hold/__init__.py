"""Requests that no server answered are held until one accepts connections.

How nginx brings them here stands in core/render/hold_locations.py.

hold_limits   which requests wait, how many may, when a wait ends; no I/O
server_probe  which servers accept a connection now
hold_queue    puts them together as `control.ports.HeldRequests`; looks for servers only while requests wait
hold_app      what nginx sends over the unix socket, and what it is answered
hold_pages    what a visitor sees whose request waited in vain
"""
