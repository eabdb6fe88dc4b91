"""The store of a fleet in PostgreSQL; imported only in a fleet, as psycopg is.

schema_1.sql          the tables, and each decision as one function, made by one statement of a client
database_schema       versions of that: expand, wait for all, contract
database_connections  connections that end when their server does, and its errors in words
server_watch          which server answers, and whether it forgot something (a failover, an older copy)
change_listener       LISTEN, and a look now and then
postgresql_store      `control.ports.Store` with all of it
"""
