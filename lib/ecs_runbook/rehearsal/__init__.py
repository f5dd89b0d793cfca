"""Each classic mistake made on purpose on the local AWS, seen, explained and mended."""
