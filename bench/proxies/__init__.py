"""The contestants: each a real program in front of the same servers, doing the same.

Every one of them serves `HOST` on two ports of 127.0.0.1, one plain and one with TLS 1.2 and 1.3 and HTTP/2, passes
`/echo` (WebSockets) and `/sink` (uploads) to servers of their own and all else to a third one, keeps connections to
them where it can, and tells them who the visitor is.
"""
