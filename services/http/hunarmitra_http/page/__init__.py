"""The page at ``/``: a client of the REST API and the sockets like any other, made of plain ES modules.

It uses ``clients/js`` as it is (served as static files), and asks nothing of any other host.
"""
