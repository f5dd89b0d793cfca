"""The checks of 60_check: pure functions from the inventory to findings, each with because, the mend and its source."""
