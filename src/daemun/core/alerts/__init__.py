"""Which certificates are in danger, and what else of the gate (`gate_concerns`), which targets know, and the words for
it. Pure: the time is an argument."""
