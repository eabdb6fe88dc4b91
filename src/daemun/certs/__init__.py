"""Certificates: ordered from CAs, made by the local CA, or the owner's files; and what nginx is shown of them.

acme/       the protocol (RFC 8555): accounts, one order, renewal information, problem documents
orders/     attempts to get what is due, one after another
managed/    every certificate that is wanted, what is due of each, and its status
served/     which certificate each name is shown, live/ on the disk, the local CA, the owner's files
dns01/      proofs in DNS
preflight/  what is looked at before an order (judged in core/issuance/preflight)
importing/  what other ACME clients left on the disk
`dns_lookup` finds where a record must be: CNAMEs followed, the zone found, its servers queried.
`certificate_manager` puts them together as `control.certificate_port.Certificates`; `account_service` answers what
people want to know of accounts at CAs.
"""
