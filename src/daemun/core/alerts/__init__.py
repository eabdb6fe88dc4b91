"""Which certificates are in danger, which targets know, and the words for it. Pure: the time is an argument."""
