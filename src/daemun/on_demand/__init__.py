"""Names that are added to a site while the gate runs.

name_registry      which there are, kept in the store; adding and removing them
ask_program        whether a name that a visitor brings may be added: the owner's program decides
network_budget     how many new names the clients of one network may bring
missed_handshakes  nginx reports here handshakes for names that have no certificate
on_demand_app      what nginx sends over the unix socket for a plain HTTP request of an unknown name
How nginx finds their certificates stands in core/render/on_demand_site.py.
"""
