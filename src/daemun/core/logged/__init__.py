"""What nginx logged of requests, line by line. Pure.

line_form        the form of a line (`log_format`), and the values that a line of it holds
logged_request   one request, from a line of any form that is known
error_line       one line of the error log
request_filter   which requests are wanted: of a host, a path, a status, a time
"""
