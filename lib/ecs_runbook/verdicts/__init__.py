"""LATEST, STALE or UNKNOWN; OK, NG or SKIP; each with because."""
