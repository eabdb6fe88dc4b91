"""The waiting room: requests that no server answered, until one accepts connections.

How nginx brings them here is told in core/render/hold.py.

room.py   who waits, how many may, when a wait ends; no I/O
probe.py  which servers accept a connection now
lobby.py  puts them together as `control.ports.WaitingRoom`; looks for servers only while somebody waits
app.py    what nginx asks over the unix socket, and what it is answered
pages.py  what a visitor sees whose wait was in vain
"""
