"""Names that are added to a site while the gate runs.

registry.py  which there are, kept in the store; adding and removing them
asking.py    whether a name that a visitor brings may be added
missed.py    nginx tells here of handshakes for names that have no certificate
app.py       what nginx asks over the unix socket for a plain HTTP request
How nginx finds their certificates is told in core/render/on_demand.py.
"""
