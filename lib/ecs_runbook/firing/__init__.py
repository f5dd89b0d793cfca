"""Run a schedule now, through EventBridge itself; register a new revision as a deploy does."""
