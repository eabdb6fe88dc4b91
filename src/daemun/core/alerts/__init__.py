"""Which certificates are in danger, whom that was told, and in which words it is. Pure: the time is an argument."""
