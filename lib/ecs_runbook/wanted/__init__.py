"""What should run, and when: the spec and the schedule expressions of AWS."""
