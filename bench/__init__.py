"""Side-by-side measurements of this server and its peers: ``python -m bench --help``, or ``make bench``."""
