"""What the files of a generation are called, for those who write them and those who read them back. Pure."""

LISTEN_HTTP = "listen/http.conf"
LISTEN_HTTPS = "listen/https.conf"
SITES = "sites/"
SNIPPETS = "snippets/"
"""Hand-written nginx for the http level."""
INTERNAL_CLIENTS = f"{SNIPPETS}network_internal.conf"
"""Which clients internal routes serve."""
