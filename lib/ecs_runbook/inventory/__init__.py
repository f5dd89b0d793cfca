"""Everything on a schedule that ends in ECS, one row per target, and what AWS says of all that it names."""
