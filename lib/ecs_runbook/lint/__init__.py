"""The mistakes that can be seen before anything runs: in files, and in a plan."""
