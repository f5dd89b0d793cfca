"""Why something did not run: what was seen of a failure, the row of the catalogue that it fits, and the mend."""
