"""exim: what it really does with this host's mail, asked of exim itself, and the macros that make it sign with our map.

ask.py        the one door to the exim binary: -bV, -bP, -be, -bem, -bv, in batches
lists.py      exim's own list syntax, and which variables an expansion needs
outbound.py   the addresses that mail leaves from, and the relays that it goes through
routing.py    which smtp transports mail of a domain can reach
signing.py    what signs it: the effective-signer probe
observe.py    all of that as one `core.host.Host`
macros.py     the macros as text        install.py   putting them into a Debian configuration, and taking them out
"""
