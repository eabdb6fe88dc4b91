"""Requests as spans of OpenTelemetry: `traced_request` is what nginx logs of one, `request_spans` what is exported of
it."""
