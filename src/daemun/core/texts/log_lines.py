"""The forms in which nginx writes the access log (`log_format`), where `logs` of daemun.yaml names none of its own."""

TEXT_LINE = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"'
    ' host="$host" upstream="$upstream_addr" upstream_status="$upstream_status" request_time=$request_time'
    ' upstream_response_time="$upstream_response_time" tls="$ssl_protocol" request_id=$request_id'
)
"""The combined format first, so that every reader of access logs understands it; then names with values, and last what
names the request. A time more would cost each request 800 instructions, of about 40,000 that nginx takes in all."""
JSON_LINE = (
    '{"time":"$time_iso8601","client":"$remote_addr","user":"$remote_user","host":"$host","method":"$request_method",'
    '"uri":"$request_uri","protocol":"$server_protocol","status":$status,"bytes":$body_bytes_sent,'
    '"request_time":$request_time,"upstream":"$upstream_addr","upstream_status":"$upstream_status",'
    '"upstream_response_time":"$upstream_response_time","referer":"$http_referer","user_agent":"$http_user_agent",'
    '"tls":"$ssl_protocol","request_id":"$request_id"}'
)
"""A line of the access log for programs."""
