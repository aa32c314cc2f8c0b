"""The DNS provider plug-ins of dnssync, installed as `dnssync_providers`."""
