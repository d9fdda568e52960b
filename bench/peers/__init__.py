"""What runs inside other processes of the benchmark: the servers it is compared with, and helpers in Django."""
