"""What nginx logged of requests, line by line. Pure.

line_form        the form of a line (`log_format`), and the values that a line of it holds
logged_request   one request, from a line of any form that is known
error_line       one line of the error log
error_shares     how many requests of each host ended with an error
request_filter   which requests are wanted: of a host, a path, a status, a time
"""
