"""The addresses behind names: looked up in the background, answered over DNS whenever nginx asks.

resolve.py   a host name -> its addresses, as this machine sees them
table.py     service -> endpoints: the one thing that is answered from, however it was filled
verdicts.py  checks in a row -> which endpoints are used; pure
health.py    asks endpoints whether they work
answers.py   table + question -> answer; pure
held.py      questions that are answered once their answer changes; pure
responder.py answers what nginx asks on loopback
responder_sockets.py  the address and port for that, which no other account may take
resolver_places.py    which of them are listened on, also after an upgrade
endpoints.py puts them together as `control.ports.Endpoints`
"""
