"""The servers behind routes as nginx looks them up: names and pools as services of DNS, and how long requests are held
for them (`hold_policy`)."""
