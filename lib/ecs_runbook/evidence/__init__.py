"""Which revision ran: what ECS remembers and what CloudTrail wrote down, as one table."""
