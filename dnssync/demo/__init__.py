"""`dnssync demo`: the whole line on one machine, nothing configured and nothing outside a temporary folder changed.

stage.py       the folder: a made-up zone, a configuration, a copy of this machine's exim
sample.py      what a recorded exim told, for machines without one
nameserver.py  a small authoritative name server on loopback
"""
