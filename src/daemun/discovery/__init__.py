"""The addresses behind names: looked up in the background, answered over DNS whenever nginx queries them.

host_lookup        a host name -> its addresses, as this machine sees them
named_addresses    the addresses of the host names that the configuration itself holds
known_addresses    the last good addresses, kept over restarts
service_table      service -> endpoints: the one thing that answers are made of, however it was filled
check_results      checks in a row -> which endpoints are used; pure
health_checks      which endpoints are checked, and when (endpoint_check: one check)
dns_answers        table + question -> answer; pure
held_questions     questions that are answered once their answer changes; pure
responder          answers nginx's questions on loopback
responder_sockets  the address and port for that, which no other account may take
resolver_places    which of them are listened on, also after an upgrade
endpoints          puts them together as `control.ports.Endpoints`
"""
