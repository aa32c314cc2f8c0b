"""`dnssync check`: the whole set-up, seen as a receiver sees it, each finding with its remedy.

finding.py   what a check says              facts.py    what it judges, and how it asks for more
judging.py   runs checks until nothing that they ask for is missing
areas.py     all checks, area by area: mx, talked (our own port 25), address, reverse, helo, spf, dkim, dmarc, mta_sts, tls_rpt, tls, dane, dnssec, nameservers,
             parked, exim, upkeep (the daemon's own work), blocklist; a module each, pure functions of `Facts`
gather.py    all I/O: what a pass sees, DNS in bulk; gather_*.py a kind of wish each
"""
