"""The store of a fleet in PostgreSQL; imported only in a fleet, as psycopg is.

schema_1.sql          the tables
functions_1.sql       each decision as one function, made by one statement of a client
database_schema       versions of both: expand, wait for all, contract
requests.sql          what is sent, each in one round trip; request_texts finds it by name
database_connections  connections that end when their server does, and its errors in words
server_memory         which server answers, and whether it forgot something (a failover, an older copy)
database_requests     sends a request until it is answered, or says whether something was changed
database_leases       locks, by the database's clock
change_listener       LISTEN, and a look now and then
postgresql_store      `control.ports.Store` with all of it
"""
