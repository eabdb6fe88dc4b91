"""What sources give is judged: all of it (`validate`), a route, a site, how certificates are ordered, and requests that
would come back without end (`request_loops`)."""
