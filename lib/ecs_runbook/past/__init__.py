"""What ran long ago: facts out of LookupEvents, delivered log files, Athena or an archive, and one table of them."""
